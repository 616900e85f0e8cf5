package connect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/sh"
	"strata/internal/wire"
)

// Far is an action under way on another machine.
type Far struct {
	// Did brings its progress. It is closed when the conversation ends.
	Did <-chan wire.Did

	talk *sh.Talk
	stop context.CancelFunc
	why  error // once Did is closed
}

// Hands starts an agent that may act over there and gives it one order. An error says that the order was not given.
func (r Remote) Hands(ctx context.Context, do wire.Do) (*Far, error) {
	if allowed := strings.Fields(r.Allow); len(allowed) > 0 && !slices.Contains(allowed, do.Action) {
		return nil, fmt.Errorf("%s is not among the actions that the configuration allows on %s", do.Action, r.Name)
	}
	ctx, stop := context.WithCancel(ctx)
	talk, err := r.hands(ctx)
	if err != nil {
		stop()
		return nil, err
	}
	did := make(chan wire.Did)
	f := &Far{Did: did, talk: talk, stop: stop}
	if err := f.say(wire.Line{Start: &wire.Start{Name: r.Name}}); err != nil {
		f.Close()
		return nil, fmt.Errorf("speaking with the agent on %s: %w", r.Name, Why(talk, err))
	}
	if err := f.say(wire.Line{Do: &do}); err != nil {
		f.Close()
		return nil, fmt.Errorf("speaking with the agent on %s: %w", r.Name, Why(talk, err))
	}
	go f.listen(ctx, did)
	return f, nil
}

func (f *Far) listen(ctx context.Context, did chan<- wire.Did) {
	defer close(did)
	scan := bufio.NewScanner(f.talk.Out)
	scan.Buffer(nil, wire.MaxLine)
	for scan.Scan() {
		l, err := wire.DecodeLine(scan.Bytes())
		if err != nil || l.Did == nil {
			continue
		}
		select {
		case did <- *l.Did:
		case <-ctx.Done():
			f.why = ctx.Err()
			return
		}
	}
	_ = f.talk.End() // only then all of its standard error is there
	f.why = Why(f.talk, errors.Join(errors.New("the conversation ended"), scan.Err()))
}

// Abort asks for the action to be stopped where it is safe.
func (f *Far) Abort() {
	_ = f.say(wire.Line{Abort: &wire.Abort{}}) // one that is gone is told by its end
}

// Why is what ended the conversation, once Did is closed.
func (f *Far) Why() error { return f.why }

// Close ends the conversation.
func (f *Far) Close() {
	timer := time.AfterFunc(time.Second, f.stop)
	_ = f.talk.End() // it was told by its last line how it ended
	timer.Stop()
	f.stop()
}

func (f *Far) say(l wire.Line) error {
	b, err := wire.EncodeLine(l)
	if err == nil {
		_, err = f.talk.In.Write(b)
	}
	return err
}
