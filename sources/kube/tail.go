package kube

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"strata/internal/fleet"
	"strata/sources"
)

// What is kept of a log.
const (
	logLines = 2000
	logBytes = 1 << 20
	// logLine is the most of one line, in bytes: as much as a kubelet writes in one piece.
	logLine = 16 << 10
)

// How often what was read is told, and after which pauses a log that broke off is read on.
const (
	logEvery     = 100 * time.Millisecond
	logAgain     = time.Second
	logAgainMost = 8 * time.Second
)

// tail reads the end of one container's log until its context ends.
type tail struct {
	*attendant
	wish sources.LogWish

	log   fleet.Log
	bytes int       // of the lines that are kept
	last  time.Time // of the newest line
	same  int       // how many lines bear that time
	told  time.Time
	owing bool // something was read since
}

func (t *tail) run(ctx context.Context) {
	t.log = fleet.Log{Source: t.source.name, Pod: t.wish.Pod.Name, Container: t.wish.Container, Previous: t.wish.Previous, Says: "asking for it"}
	t.publish()
	pause := logAgain
	for ctx.Err() == nil {
		began := t.log.Dropped + len(t.log.Lines)
		err := t.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if t.log.Dropped+len(t.log.Lines) > began {
			pause = logAgain
		}
		switch {
		case err == nil && t.wish.Previous:
			t.say("ended: this is all of the container before", false)
			return
		case err == nil:
			t.say("its container ended, or was replaced; what comes next is waited for", false)
		case apierrors.IsNotFound(err):
			t.say("the pod is gone; these are its last lines", true)
		default:
			t.say(err.Error(), true)
		}
		if !sources.Sleep(ctx, sources.Jitter(pause)) {
			return
		}
		pause = min(2*pause, logAgainMost)
	}
}

// say tells how it is with the reading.
func (t *tail) say(what string, failing bool) {
	t.log.Says, t.log.Failing = what, failing
	t.publish()
}

// publish tells the log as it is. Lines are only ever appended behind those that were told.
func (t *tail) publish() {
	l := t.log
	l.Lines = t.log.Lines[:len(t.log.Lines):len(t.log.Lines)]
	t.told, t.owing = t.source.options.Now(), false
	t.show(fleet.KindLog, &l)
}

// once reads until the log ends or breaks off. It goes on behind the newest line there is.
func (t *tail) once(ctx context.Context) error {
	if len(t.log.Containers) == 0 {
		if err := t.choose(ctx); err != nil {
			return err
		}
	}
	path, err := pathOf(t.wish.Pod)
	if err != nil {
		return err
	}
	q := url.Values{"container": {t.log.Container}, "timestamps": {"true"}}
	if t.wish.Previous {
		q.Set("previous", "true")
	} else {
		q.Set("follow", "true")
	}
	if t.last.IsZero() {
		q.Set("tailLines", strconv.Itoa(logLines))
	} else {
		q.Set("sinceTime", t.last.UTC().Format(time.RFC3339)) // whole seconds; what comes again is left out
	}
	answer, life, err := t.get(ctx, path+"/log", q)
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	defer life.end()
	t.say("following", false)
	return t.take(ctx, bufio.NewReaderSize(answer.Body, 64<<10))
}

// choose finds the containers of the pod, and one of them if none was wished for.
func (t *tail) choose(ctx context.Context) error {
	path, err := pathOf(t.wish.Pod)
	if err != nil {
		return err
	}
	body, err := t.fetch(ctx, path, nil, manifestMost)
	if err != nil {
		return fmt.Errorf("reading the pod: %w", err)
	}
	names, usual, err := containersOf(body)
	if err != nil {
		return err
	}
	t.log.Containers = names
	if t.log.Container == "" {
		t.log.Container = usual
	}
	return nil
}

// containersOf returns the containers of a pod, init containers first, and the one whose log kubectl would show.
func containersOf(body []byte) (names []string, usual string, err error) {
	type named struct {
		Name string `json:"name"`
	}
	var pod struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Spec struct {
			Init  []named `json:"initContainers"`
			Main  []named `json:"containers"`
			Debug []named `json:"ephemeralContainers"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &pod); err != nil {
		return nil, "", fmt.Errorf("reading the pod: %w", err)
	}
	for _, all := range [][]named{pod.Spec.Init, pod.Spec.Main, pod.Spec.Debug} {
		for _, c := range all {
			names = append(names, c.Name)
		}
	}
	if len(pod.Spec.Main) == 0 {
		return nil, "", errors.New("the pod has no containers")
	}
	usual = pod.Spec.Main[0].Name
	if wanted := pod.Metadata.Annotations["kubectl.kubernetes.io/default-container"]; wanted != "" {
		usual = wanted
	}
	return names, usual, nil
}

// take reads lines until the stream ends.
func (t *tail) take(ctx context.Context, r *bufio.Reader) error {
	lines, failed := make(chan []byte, 64), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(lines)
		for {
			line, err := readLine(r)
			if len(line) > 0 && (err == nil || errors.Is(err, io.EOF)) { // the rest of a broken line comes again, whole
				select {
				case lines <- line:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	ticker := time.NewTicker(logEvery)
	defer ticker.Stop()
	skip := t.same
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				if t.owing {
					t.publish()
				}
				return whyOver(ctx, failed)
			}
			t.add(line, &skip)
		case <-ticker.C:
			if t.owing {
				t.publish()
			}
		}
	}
}

// whyOver is why a stream is over: nil when its container ended.
func whyOver(ctx context.Context, failed <-chan error) error {
	select {
	case err := <-failed:
		if errors.Is(err, io.EOF) {
			return nil
		}
		return fmt.Errorf("the log broke off: %w", err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readLine reads a line without its end, at most logLine bytes of it and one more when there is more.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if room := logLine + 1 - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return bytes.TrimRight(line, "\r\n"), err
	}
}

// add keeps a line, unless it was read before the stream broke off; skip is how many of the newest time were.
func (t *tail) add(raw []byte, skip *int) {
	line := parseLine(raw)
	switch {
	case t.last.IsZero() || line.At.IsZero():
	case line.At.Before(t.last):
		return
	case line.At.Equal(t.last) && *skip > 0:
		*skip--
		return
	}
	if line.At.After(t.last) {
		t.last, t.same, *skip = line.At, 0, 0
	}
	t.same++
	if len(raw) > logLine {
		line.Text += "…"
		t.log.Cut++
	}
	t.log.Lines = append(t.log.Lines, line)
	t.bytes += len(line.Text)
	drop := 0
	for len(t.log.Lines)-drop > logLines || t.bytes > logBytes && len(t.log.Lines)-drop > 1 {
		t.bytes -= len(t.log.Lines[drop].Text)
		drop++
	}
	t.log.Lines, t.log.Dropped = t.log.Lines[drop:], t.log.Dropped+drop
	t.owing = true
}

// parseLine takes the time off a line that begins with one.
func parseLine(raw []byte) fleet.LogLine {
	raw = raw[:min(len(raw), logLine)]
	before, after, _ := bytes.Cut(raw, []byte(" "))
	if at, err := time.Parse(time.RFC3339Nano, string(before)); err == nil {
		return fleet.LogLine{At: at.UTC(), Text: strings.ToValidUTF8(string(after), "·")}
	}
	return fleet.LogLine{Text: strings.ToValidUTF8(string(raw), "·")}
}
