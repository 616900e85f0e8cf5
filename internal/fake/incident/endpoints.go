package incident

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"strata/internal/fake/kube"
	"strata/internal/fleet"
)

// The workloads behind the endpoints.
const (
	workBackend = "wwwm-spring-be-deployment"
	workMySQL   = "wwwm-mysql"
)

// How often the endpoints of the demo are to be dialled, and for how long each is waited for.
const (
	dialEvery   = 3 * time.Second
	dialTimeout = time.Second
)

// door is an address that users reach, on the loopback: a NodePort of a worker, or a proxy in front of it.
type door struct {
	is       fleet.Endpoint
	node     string // the worker that it goes through
	work     string // the workload behind
	proxy    bool   // a proxy answers for itself when what is behind it does not
	listener net.Listener
	state    atomic.Int32
}

// What a door does with who knocks.
const (
	doorServes = iota
	doorHangs  // its node is gone: nobody answers
	doorResets // no pod is behind it
)

// doors are the endpoints of the cloud and who serves them.
type doors struct {
	all  []*door
	mu   sync.Mutex
	open map[net.Conn]bool // nil once closed
	done sync.WaitGroup
}

// openDoors listens on the loopback.
func openDoors() (*doors, error) {
	d := &doors{open: map[net.Conn]bool{}}
	for _, one := range []*door{
		{is: fleet.Endpoint{Name: "wwwm NodePort", Type: fleet.EndpointHTTP, Text: `"UP"`, On: workerOne}, node: workerOne, work: workBackend},
		{is: fleet.Endpoint{Name: "wwwm nginx", Type: fleet.EndpointHTTP, Status: http.StatusOK, On: workerOne}, node: workerOne, work: workBackend, proxy: true},
		{is: fleet.Endpoint{Name: "wwwm MySQL", Type: fleet.EndpointMySQL, On: workerTwo}, node: workerTwo, work: workMySQL},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			d.close()
			return nil, fmt.Errorf("opening an endpoint: %w", err)
		}
		one.listener = l
		one.is.Every, one.is.Timeout, one.is.Address = dialEvery, dialTimeout, l.Addr().String()
		if one.is.Type == fleet.EndpointHTTP {
			one.is.Address = "http://" + one.is.Address + "/actuator/health"
		}
		d.all = append(d.all, one)
		d.done.Go(func() { d.serve(one) })
	}
	return d, nil
}

func (d *doors) close() {
	d.mu.Lock()
	for c := range d.open {
		_ = c.Close()
	}
	d.open = nil
	d.mu.Unlock()
	for _, one := range d.all {
		_ = one.listener.Close()
	}
	d.done.Wait()
}

// take notes a connection so that it can be ended; false when all is over.
func (d *doors) take(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		d.open[c] = true
	}
	return d.open != nil
}

func (d *doors) serve(one *door) {
	for {
		c, err := one.listener.Accept()
		if err != nil {
			return
		}
		d.done.Go(func() {
			defer func() {
				_ = c.Close()
				d.mu.Lock()
				defer d.mu.Unlock()
				delete(d.open, c)
			}()
			if d.take(c) {
				one.answer(c)
			}
		})
	}
}

func (one *door) answer(c net.Conn) {
	switch state := one.state.Load(); {
	case state == doorServes && one.is.Type == fleet.EndpointMySQL:
		_, _ = c.Write(mysqlHello())
	case state == doorServes:
		one.page(c, "200 OK", `{"status":"UP"}`)
	case one.proxy:
		one.page(c, "502 Bad Gateway", "<html><h1>502 Bad Gateway</h1><hr>nginx/1.24.0</html>")
	case state == doorHangs:
		_, _ = io.Copy(io.Discard, c)
	default:
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // as a host that rejects
		}
	}
}

// page answers one request of HTTP/1.1.
func (one *door) page(c net.Conn, status, body string) {
	_ = c.SetDeadline(time.Now().Add(dialTimeout))
	if _, err := c.Read(make([]byte, 4<<10)); err != nil {
		return
	}
	fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(body), body)
}

// mysqlHello is what a MySQL server greets with.
func mysqlHello() []byte {
	p := append([]byte{10}, "8.0.39\x00\x2a\x00\x00\x00"...)
	p = append(p, "k3Jq8vZa\x00\xff\xf7\xff\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00m2Xw9pLr4tYb\x00caching_sha2_password\x00"...)
	return append([]byte{byte(len(p)), byte(len(p) >> 8), 0, 0}, p...)
}

// move follows the nodes and the pods. Traffic through a node needs that node, and a pod that is up on one that works.
func (d *doors) move(c *cluster) {
	for _, one := range d.all {
		state := int32(doorServes)
		switch {
		case !c.alive(one.node):
			state = doorHangs
		case !slices.ContainsFunc(c.backends[one.work], c.alive):
			state = doorResets
		}
		one.state.Store(state)
	}
}

// endpoints are those of all doors.
func (d *doors) endpoints() (all []fleet.Endpoint) {
	for _, one := range d.all {
		all = append(all, one.is)
	}
	return all
}

// behind notes on which nodes the pods of a workload are up.
func (c *cluster) behind(w *workload, pods []kube.Pod) {
	if c.backends == nil {
		c.backends = map[string][]string{}
	}
	var nodes []string
	for _, p := range pods {
		if (w.owns(p) || w.before(p)) && p.Deleting.IsZero() && up(p) {
			nodes = append(nodes, p.Node)
		}
	}
	c.backends[w.name] = nodes
}
