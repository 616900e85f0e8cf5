package machine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Bus serves the machine's system bus, with its systemd on it, at an address until stop.
func (m *Machine) Bus() (address string, stop func(), err error) {
	folder := filepath.Join(m.root, "run")
	err = os.MkdirAll(folder, 0o755)
	elsewhere := err == nil && len(folder) > longest
	if elsewhere {
		folder, err = os.MkdirTemp("", "bus")
	}
	socket := filepath.Join(folder, "bus")
	var l net.Listener
	if err == nil {
		l, err = net.Listen("unix", socket)
	}
	if err != nil {
		return "", nil, fmt.Errorf("serving the bus of machine %s: %w", m.spec.Hostname, err)
	}
	b := &peer{machine: m, conns: map[net.Conn]bool{}}
	b.all.Go(func() { b.serve(l) })
	return "unix:path=" + socket, func() {
		_ = l.Close()
		b.close()
		b.all.Wait()
		if elsewhere {
			_ = os.RemoveAll(folder)
		}
	}, nil
}

// longest is how long the folder of a socket may be: the kernel has room for 108 bytes.
const longest = 90

// peer is a message bus with one service on it.
type peer struct {
	machine *Machine
	all     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

func (b *peer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for c := range b.conns {
		_ = c.Close()
	}
}

func (b *peer) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		if b.closed {
			_ = c.Close()
		}
		b.conns[c] = true
		b.mu.Unlock()
		b.all.Go(func() {
			_ = b.talk(c) // ends with the connection
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.conns, c)
			_ = c.Close()
		})
	}
}

// talk does the handshake and then answers calls.
func (b *peer) talk(c net.Conn) error {
	r := bufio.NewReader(c)
	if err := handshake(r, c); err != nil {
		return err
	}
	for serial := uint32(1); ; serial++ {
		call, err := dbus.DecodeMessage(r)
		if err != nil {
			return err
		}
		if call.Type != dbus.TypeMethodCall || call.Flags&dbus.FlagNoReplyExpected != 0 {
			continue
		}
		if err := reply(c, serial, call, b.answer); err != nil {
			return err
		}
	}
}

// handshake lets anybody in who has the socket.
func handshake(r *bufio.Reader, w io.Writer) error {
	if zero, err := r.ReadByte(); err != nil || zero != 0 {
		return errors.New("no zero byte")
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "BEGIN":
			return nil
		case word == "AUTH" && rest == "", word == "CANCEL", word == "ERROR":
			_, err = io.WriteString(w, "REJECTED EXTERNAL\r\n")
		case word == "AUTH" && rest == "EXTERNAL":
			_, err = io.WriteString(w, "DATA\r\n")
		case word == "AUTH", word == "DATA":
			_, err = io.WriteString(w, "OK 0123456789abcdef0123456789abcdef\r\n")
		default: // NEGOTIATE_UNIX_FD
			_, err = io.WriteString(w, "ERROR\r\n")
		}
		if err != nil {
			return err
		}
	}
}

// answer is what the service says to a call, or its error.
func (b *peer) answer(call *dbus.Message) ([]any, *dbus.Error) {
	method, _ := call.Headers[dbus.FieldMember].Value().(string)
	about, _ := call.Headers[dbus.FieldInterface].Value().(string)
	switch about {
	case "org.freedesktop.DBus":
		if method == "Hello" {
			return []any{":1.1"}, nil
		}
	case "org.freedesktop.systemd1.Manager":
		return b.machine.manage(method, call.Body)
	}
	return nil, busError("org.freedesktop.DBus.Error.UnknownMethod", "Unknown method "+method+" or interface "+about+".")
}

func busError(name, says string) *dbus.Error { return &dbus.Error{Name: name, Body: []any{says}} }

func reply(w io.Writer, serial uint32, call *dbus.Message, answer func(*dbus.Message) ([]any, *dbus.Error)) error {
	m := dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()), dbus.FieldSender: dbus.MakeVariant("org.freedesktop.systemd1"),
	}}
	body, fault := answer(call)
	m.Body = body
	if fault != nil {
		m.Type, m.Body = dbus.TypeError, fault.Body
		m.Headers[dbus.FieldErrorName] = dbus.MakeVariant(fault.Name)
	}
	if len(m.Body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(m.Body...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		return err
	}
	// The library sets serials of its own connections only.
	binary.LittleEndian.PutUint32(b.Bytes()[8:], serial)
	_, err := w.Write(b.Bytes())
	return err
}
