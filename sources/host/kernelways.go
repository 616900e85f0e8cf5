package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"strata/internal/klog"
	"strata/internal/sh"
	"strata/sources"
)

// SimulatedKernelLog is where a machine below a root has its kernel's log: the records of /dev/kmsg, a line each, and
// before those of a boot a line "-- Boot ID START --".
const SimulatedKernelLog = "/dev/kmsg-log"

// kernelPast is how many lines of the journal are read at the start: a boot of a big machine is about 2,000.
const kernelPast = "5000"

// whoMay is what to do about missing rights.
const whoMay = "journalctl needs the group systemd-journal or adm, /dev/kmsg needs root or CAP_SYSLOG"

// journal follows the journal's lines of the kernel, those of earlier boots first: journalctl --follow leaves them out.
func journal(program ...string) func(context.Context, *kernel) error {
	return func(ctx context.Context, k *kernel) error {
		if k.after() == "" {
			k.reads(true)
			err := k.journal(ctx, program, "--lines="+kernelPast)
			k.reads(false)
			if err != nil {
				return err
			}
		}
		if at := k.after(); at != "" {
			return k.journal(ctx, program, "--follow", "--no-tail", "--after-cursor="+at)
		}
		return k.journal(ctx, program, "--follow", "--lines="+kernelPast)
	}
}

// journal takes the lines of one journalctl. An end is an error unless all lines were asked for that there are.
func (k *kernel) journal(ctx context.Context, program []string, which ...string) error {
	argv := append(program[:len(program):len(program)], "--output=json", "--no-pager",
		"--output-fields=MESSAGE,PRIORITY,SYSLOG_FACILITY,_BOOT_ID,_SOURCE_MONOTONIC_TIMESTAMP")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	talk, err := sh.Start(ctx, sh.Cmd{Argv: append(append(argv, which...), "_TRANSPORT=kernel")})
	if errors.Is(err, sh.ErrMissing) {
		return fmt.Errorf("there is no journalctl: it %w", errNoLog)
	}
	if err != nil {
		return err
	}
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		eachLine(talk.Out, k.lost, func(b []byte) {
			select {
			case lines <- b:
			case <-ctx.Done():
			}
		})
	}()
	err = k.journalLines(ctx, lines, talk)
	if err == nil {
		if err = talk.End(); err != nil || which[0] == "--follow" {
			err = endOf(err, talk.Stderr())
		}
	}
	cancel()
	for range lines {
	}
	_ = talk.End()
	if k.after() != "" && strings.Contains(talk.Stderr(), "seek to cursor") {
		k.restart() // that journal is gone: read the one that is there
	}
	if hint := hidden(talk.Stderr()); hint != "" && !k.works() {
		return fmt.Errorf("%s (%s): the journal %w", hint, whoMay, errNoLog)
	}
	return err
}

// hidden is what journalctl says when it may not read the system's journal.
func hidden(stderr string) string {
	for line := range strings.Lines(stderr) {
		if strings.Contains(line, "insufficient permissions") || strings.Contains(line, "not seeing messages") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func endOf(err error, stderr string) error {
	if stderr == "" {
		stderr = "it said nothing"
	}
	return fmt.Errorf("it ended with code %d: %s", sh.Code(err), stderr)
}

// journalLines takes lines until there is none any more. A journal that shows no line at all may be one that is hidden.
func (k *kernel) journalLines(ctx context.Context, lines <-chan []byte, talk *sh.Talk) error {
	silent := time.NewTicker(kernelSilent)
	defer silent.Stop()
	resumed, patience := k.after() != "", 2
	file := "/log/journal/" + k.at.Word("/etc/machine-id") + "/system.journal"
	if k.at.Exists("/var"+file) || k.at.Exists("/run"+file) {
		patience = 30 // a big one on a slow disk
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-silent.C:
			patience--
			switch {
			case hidden(talk.Stderr()) != "":
				return errNoLog
			case resumed:
				k.follows("journalctl") // there was nothing new
				silent.Stop()
			case patience == 0:
				return fmt.Errorf("the journal has no line of the kernel: it %w", errNoLog)
			}
		case b, ok := <-lines:
			if !ok {
				return nil
			}
			l, err := klog.ParseJournal(b)
			if err != nil {
				k.lost(1)
				continue
			}
			silent.Stop()
			k.take(l)
			k.follows("journalctl")
		}
	}
}

// maxRecord is how long a line of the journal may be, in bytes. journalctl itself leaves out fields longer than 4096.
const maxRecord = 64 << 10

// eachLine calls each for every line; those that are too long are lost.
func eachLine(r io.Reader, lost func(uint64), each func([]byte)) {
	in := bufio.NewReaderSize(r, maxRecord)
	for {
		b, err := in.ReadSlice('\n')
		if err == nil {
			each(append([]byte(nil), b...))
			continue
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
		lost(1)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil {
			return
		}
	}
}

// kmsg follows the kernel's own ring of lines, of this boot only. A read waits in the kernel until there is one.
func kmsg(path string) func(context.Context, *kernel) error {
	return func(ctx context.Context, k *kernel) error {
		file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("%s is for root or CAP_SYSLOG: it %w", path, errNoLog)
		case err != nil:
			return fmt.Errorf("%s: %s: it %w", path, reason(err), errNoLog)
		}
		defer func() { _ = file.Close() }()
		stop := context.AfterFunc(ctx, func() { _ = file.Close() })
		defer stop()
		return k.records(file, strings.ReplaceAll(k.at.Word("/proc/sys/kernel/random/boot_id"), "-", ""), sinceBoot)
	}
}

// records takes the records of /dev/kmsg, one in each read.
func (k *kernel) records(from io.Reader, boot string, up func() time.Duration) error {
	buffer := make([]byte, 16<<10) // a shorter one than 8192 is refused for a long record
	next, begun := uint64(0), false
	for {
		n, err := from.Read(buffer)
		switch {
		case errors.Is(err, syscall.EPIPE):
			continue // overwritten meanwhile: the numbers tell how many
		case errors.Is(err, fs.ErrPermission) && !begun:
			return fmt.Errorf("/dev/kmsg is for root or CAP_SYSLOG: it %w", errNoLog)
		case err != nil:
			return err
		}
		l, err := klog.ParseKmsg(string(buffer[:n]))
		if err != nil {
			k.lost(1)
			continue
		}
		if begun && l.Seq > next {
			k.lost(l.Seq - next)
		}
		if begun && l.Seq < next {
			continue // told before
		}
		next, begun = l.Seq+1, true
		l.Boot, l.At = boot, time.Now().Add(l.Mono-up())
		k.take(l)
		k.follows("/dev/kmsg")
	}
}

// sinceBoot is the clock of the kernel's log.
func sinceBoot() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// simulatedLog follows the log of a machine below a root, which grows as a file does.
func simulatedLog(ctx context.Context, k *kernel) error {
	const every = 200 * time.Millisecond
	var open os.FileInfo
	var offset int64
	var boot string
	var start time.Time
	for ctx.Err() == nil {
		path := k.at.Path(SimulatedKernelLog)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && open == nil:
			return fmt.Errorf("there is no %s below the root: it %w", SimulatedKernelLog, errNoLog)
		case err != nil:
			return errors.New(reason(err))
		case open == nil || !os.SameFile(open, info) || info.Size() < offset:
			if open != nil {
				k.restart()
			}
			open, offset = info, 0
		}
		if info.Size() > offset {
			text, err := readFrom(path, offset)
			if err != nil {
				return errors.New(reason(err))
			}
			for line := range strings.Lines(text) {
				if !strings.HasSuffix(line, "\n") {
					break // the rest of it comes
				}
				offset += int64(len(line))
				if mark, ok := strings.CutPrefix(line, "-- Boot "); ok {
					var at string
					boot, at, _ = strings.Cut(mark, " ")
					at, _, _ = strings.Cut(at, " ")
					start, _ = time.Parse(time.RFC3339Nano, at)
					continue
				}
				l, err := klog.ParseKmsg(line)
				if err != nil {
					k.lost(1)
					continue
				}
				l.Boot, l.At = boot, start.Add(l.Mono)
				k.take(l)
			}
		}
		k.follows("/dev/kmsg")
		if !sources.Sleep(ctx, every) {
			break
		}
	}
	return ctx.Err()
}

func readFrom(path string, offset int64) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	b, err := io.ReadAll(io.NewSectionReader(file, offset, 16<<20))
	return string(b), err
}
