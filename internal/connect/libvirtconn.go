package connect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Procedures of libvirt's remote protocol (src/remote/remote_protocol.x).
const (
	procOpen, procClose      = 1, 2
	procDomainCreate         = 9
	procDomainXML            = 14
	procDomainResume         = 28
	procDomainShutdown       = 33
	procAuthList, procPolkit = 66, 70
	procDomainDestroy        = 234
	procDomainTune           = 252
	procDiskErrors           = 263
	procListDomains          = 273
	procDomainStats          = 344
)

// libvirtReads are the procedures of a connection that only reads.
func libvirtReads() map[uint32]bool {
	return map[uint32]bool{
		procOpen: true, procClose: true, procAuthList: true, procPolkit: true,
		procDomainXML: true, procDiskErrors: true, procListDomains: true, procDomainStats: true,
	}
}

const (
	packetHeader = 28       // length, program, version, procedure, type, serial, status
	packetMost   = 32 << 20 // VIR_NET_MESSAGE_MAX
	remote       = 0x20008086
	connectRO    = 1 // VIR_CONNECT_RO
)

// libvirtConn watches the packets of a connection: it lets out the procedures that are allowed, opens read-only where
// only reading is allowed, and lets in what the library can bear.
type libvirtConn struct {
	net.Conn
	allowed map[uint32]bool

	mu     sync.Mutex
	out    bytes.Buffer // the packet being written
	left   int          // of the packet being read
	head   []byte       // of the packet to read, checked and not handed on yet
	keep   []byte       // the answer to procDiskErrors
	keeps  bool         // the packet being read is that
	reason error        // why nothing more goes in or out
}

// Write passes packets on, each whole.
func (c *libvirtConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.Write(p)
	for c.out.Len() >= packetHeader {
		packet := c.out.Bytes()
		size := int(binary.BigEndian.Uint32(packet))
		if size < packetHeader || size > packetMost {
			return 0, c.fail(fmt.Errorf("a packet of %d bytes", size))
		}
		if len(packet) < size {
			break
		}
		packet = c.out.Next(size)
		if err := c.check(packet); err != nil {
			return 0, c.fail(err)
		}
		if _, err := c.Conn.Write(packet); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (c *libvirtConn) check(packet []byte) error {
	program, proc := binary.BigEndian.Uint32(packet[4:]), binary.BigEndian.Uint32(packet[12:])
	if program != remote || !c.allowed[proc] {
		return fmt.Errorf("a read-only strata does not call procedure %d of program %#x", proc, program)
	}
	if proc == procOpen && !c.allowed[procDomainCreate] {
		// remote_connect_open_args end with the flags. On a read-only socket the daemon sets this itself.
		binary.BigEndian.PutUint32(packet[len(packet)-4:], connectRO)
	}
	return nil
}

func (c *libvirtConn) fail(err error) error {
	c.reason = errors.Join(c.reason, err)
	_ = c.Close()
	return err
}

// why is the reason for which this side ended the connection, nil if it did not.
func (c *libvirtConn) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// Read hands on what comes, once the length of its packet is one that the library can bear. Only the library's one
// reading goroutine calls it.
func (c *libvirtConn) Read(p []byte) (int, error) {
	if c.left == 0 && len(c.head) == 0 {
		head := make([]byte, packetHeader)
		if _, err := readFull(c.Conn, head); err != nil {
			return 0, err
		}
		size := int(binary.BigEndian.Uint32(head))
		if size < packetHeader || size > packetMost {
			c.mu.Lock()
			defer c.mu.Unlock()
			return 0, c.fail(fmt.Errorf("libvirt sent a packet of %d bytes", size))
		}
		c.head, c.left = head, size-packetHeader
		c.keeps = binary.BigEndian.Uint32(head[12:]) == procDiskErrors
		if c.keeps {
			c.mu.Lock()
			c.keep = nil
			c.mu.Unlock()
		}
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	if c.keeps {
		c.mu.Lock()
		c.keep = append(c.keep, p[:n]...)
		c.mu.Unlock()
	}
	return n, err
}

func readFull(from net.Conn, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = from.Read(p[n:])
		n += more
	}
	if n == len(p) {
		return n, nil
	}
	return n, err
}

// answer is what the last answer to procDiskErrors holds.
func (c *libvirtConn) answer() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.keep)
}

// diskErrors decodes remote_domain_get_disk_errors_ret: the library leaves out the errors themselves.
func diskErrors(b []byte) map[string]string {
	number := func() (n uint32, ok bool) {
		if len(b) < 4 {
			return 0, false
		}
		n, b = binary.BigEndian.Uint32(b), b[4:]
		return n, true
	}
	words := map[string]string{}
	count, _ := number()
	for range min(count, 256) {
		size, ok := number()
		padded := (uint64(size) + 3) / 4 * 4
		if !ok || padded > uint64(len(b)) {
			break
		}
		disk := string(b[:size])
		b = b[padded:]
		code, ok := number()
		if !ok {
			break
		}
		if word := DiskErrorWord(code); word != "" {
			words[disk] = word
		}
	}
	return words
}

// DiskErrorWord is virsh's word for a virDomainDiskErrorCode, "" for none.
func DiskErrorWord(code uint32) string {
	switch code {
	case 0:
		return ""
	case 2:
		return "no space"
	}
	return "unspecified error"
}
