package checks

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// greeting is the first packet of a MySQL or MariaDB server: it says its version, or why it takes nobody.
type greeting struct {
	version string
	code    int // of an ERR packet: 1040 too many connections, 1129 host blocked; 0 for none
	says    string
}

// errHostBlocked is ER_HOST_IS_BLOCKED: this machine broke off too many connections (max_connect_errors).
const errHostBlocked = 1129

// Sizes in bytes. Greetings are shorter than 200.
const (
	mostGreeting = 4 << 10
	mostSaid     = 300
)

// notMySQL is a first packet that no MySQL server sends.
type notMySQL struct{ says string }

func (e *notMySQL) Error() string { return "it does not speak MySQL: " + e.says }

// readGreeting reads the one packet that a server sends by itself: three bytes of length, a sequence number 0, the rest.
func readGreeting(from io.Reader) (greeting, error) {
	r := bufio.NewReaderSize(from, mostGreeting)
	head, err := r.Peek(4)
	if err != nil {
		return greeting{}, err
	}
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if head[3] != 0 || n == 0 || n > mostGreeting {
		all, _ := r.Peek(r.Buffered()) // what has come already
		return greeting{}, &notMySQL{fmt.Sprintf("it begins %q", start(all))}
	}
	packet := make([]byte, 4+n)
	if _, err := io.ReadFull(r, packet); err != nil {
		return greeting{}, err
	}
	return parseGreeting(packet[4:])
}

// parseGreeting reads the packet's payload: HandshakeV10 (and V9), or ERR_Packet.
func parseGreeting(p []byte) (greeting, error) {
	if len(p) == 0 {
		return greeting{}, &notMySQL{"its greeting is empty"}
	}
	kind, rest := p[0], p[1:]
	switch kind {
	case 0xff:
		if len(rest) < 2 {
			return greeting{}, &notMySQL{"its error has no number"}
		}
		g := greeting{code: int(binary.LittleEndian.Uint16(rest))}
		message := rest[2:]
		if len(message) >= 6 && message[0] == '#' { // an SQL state
			message = message[6:]
		}
		g.says = text(message)
		if g.code == 0 {
			return greeting{}, &notMySQL{"its error is number 0"}
		}
		return g, nil
	case 9, 10:
		version, after, ended := bytes.Cut(rest, []byte{0})
		const idAndSalt = 4 + 8 + 1
		if !ended || len(version) == 0 || len(after) < idAndSalt {
			return greeting{}, &notMySQL{"its greeting is not whole"}
		}
		// MariaDB puts this before its own version for the sake of old replicas.
		return greeting{version: strings.TrimPrefix(text(version), "5.5.5-")}, nil
	}
	return greeting{}, &notMySQL{fmt.Sprintf("its protocol is number %d", kind)}
}

// text is what the world says, as much of it as anybody reads.
func text(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), mostSaid)]), "?")
}
