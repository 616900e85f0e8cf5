package kube

import (
	"context"
	"io"
	"time"
)

// life bounds a request: it ends with its context, when told, or when the server falls silent while something is
// expected of it.
type life struct {
	cancel context.CancelCauseFunc
	ctx    context.Context
	wait   time.Duration // how long the server may be silent when something is expected
	timer  *time.Timer
	body   io.Closer
}

func live(parent context.Context, wait time.Duration) (*life, context.Context) {
	ctx, cancel := context.WithCancelCause(parent)
	l := &life{cancel: cancel, ctx: ctx, wait: wait}
	l.timer = time.AfterFunc(wait, func() { cancel(errSilent) })
	l.timer.Stop()
	return l, ctx
}

// expect starts to wait for the server.
func (l *life) expect() { l.timer.Reset(l.wait) }

// rest stops to: a watch may be silent for hours.
func (l *life) rest() { l.timer.Stop() }

// end is called once; it releases the connection.
func (l *life) end() {
	l.timer.Stop()
	l.cancel(nil)
	if l.body != nil {
		_ = l.body.Close() // nothing more is wanted of it
	}
}

// why prefers the reason for which the request was ended over what the transport made of it.
func (l *life) why(err error) error {
	if context.Cause(l.ctx) == errSilent { //nolint:errorlint // the very value that was set
		return errSilent
	}
	return err
}

// reader reads a body and takes each piece of it as a sign of life.
func (l *life) reader(body io.Reader) io.Reader { return &patient{body, l} }

type patient struct {
	body io.Reader
	life *life
}

func (p *patient) Read(b []byte) (int, error) {
	n, err := p.body.Read(b)
	if n > 0 && p.life.timer.Stop() {
		p.life.expect()
	}
	return n, err
}
