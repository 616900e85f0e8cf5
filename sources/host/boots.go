package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources/tree"
)

const (
	bootsAgain = 5 * time.Minute // after the journal did not answer, then twice as long each time: it may cost seconds
	bootsLong  = 6 * time.Hour   // while the machine stays in one boot
	bootsKept  = 10              // boots that are told of
	bootsTail  = 60              // lines of the end of a boot that are read, once
)

// boots reads the scope "boots". What ended does not change any more, so that the journal is asked seldom.
type boots struct {
	source, host string
	at           tree.Tree
	run          func(context.Context, sh.Cmd) (sh.Result, error)
	notes        *notes

	current string        // the boot id when the journal was asked last
	due     time.Time     // when it is asked again
	delay   time.Duration // after it did not answer
	listed  []fleet.Boot
	ends    map[string]bootEnd // by boot id
}

// bootEnd is what the last lines of a boot tell.
type bootEnd struct{ ended, last string }

func newBoots(s *source, n *notes) *boots {
	return &boots{source: s.name, host: s.conf.Name, at: s.at, run: s.conf.Run, notes: n, ends: map[string]bootEnd{}}
}

func (b *boots) look(ctx context.Context, now time.Time) (fleet.Facts, error) {
	id := strings.ReplaceAll(b.at.Word("/proc/sys/kernel/random/boot_id"), "-", "")
	if id == "" {
		return nil, errors.New("reading which boot it is: /proc/sys/kernel/random/boot_id could not be read")
	}
	if id != b.current || !now.Before(b.due) {
		answered := b.ask(ctx, id)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if answered || id != b.current {
			b.delay = 0
		}
		b.current, b.due = id, now.Add(bootsLong)
		if !answered {
			b.delay = min(max(2*b.delay, bootsAgain), bootsLong)
			b.due = now.Add(b.delay)
		}
	}
	begin, _ := parseStat(b.at.Word("/proc/stat"))
	facts := fleet.Facts{&fleet.BootRecord{Source: b.source, Host: b.host, ID: id, Begin: begin, Current: true}}
	for _, l := range b.listed {
		if l.ID == id {
			continue
		}
		end := b.ends[l.ID]
		facts = append(facts, &fleet.BootRecord{Source: b.source, Host: b.host, ID: l.ID, Begin: l.First, End: l.Last, Ended: end.ended, Last: end.last})
	}
	return facts, nil
}

// ask reads the earlier boots from the journal and reports whether it answered. That it cannot is no failure of the machine.
func (b *boots) ask(ctx context.Context, current string) bool {
	why := ""
	all, err := b.list(ctx)
	switch {
	case err != nil:
		why = "boots: the journal cannot be asked for earlier ones: " + err.Error()
	case len(all) == 0 || len(all) == 1 && all[0].ID == current:
		why = "boots: the journal keeps no earlier one: mkdir /var/log/journal && systemctl restart systemd-journald"
	}
	b.notes.set("boots", why)
	if err != nil {
		return false
	}
	b.listed = all
	kept := map[string]bootEnd{}
	for _, l := range all {
		end, known := b.ends[l.ID]
		if !known && l.ID != current {
			end = b.end(ctx, l.ID)
		}
		if end.last != "" {
			kept[l.ID] = end
		}
	}
	b.ends = kept
	return true
}

func (b *boots) journalctl(ctx context.Context, args ...string) ([]byte, error) {
	if b.run == nil {
		return nil, errors.New("there is no journalctl")
	}
	r, err := b.run(ctx, sh.Cmd{Argv: append([]string{"journalctl", "--no-pager", "--utc", "--output=json"}, args...), Deadline: patience - time.Second, MaxOut: 4 << 20})
	switch {
	case errors.Is(err, sh.ErrMissing):
		return nil, errors.New("there is no journalctl")
	case err != nil:
		return nil, err
	case hidden(r.Stderr) != "":
		return nil, fmt.Errorf("%s (%s)", hidden(r.Stderr), whoMay)
	case r.Code != 0 && len(r.Stdout) == 0 && !strings.Contains(r.Stderr, "No journal files"):
		return nil, fmt.Errorf("%s (exit code %d)", r.Stderr, r.Code)
	}
	return r.Stdout, nil
}

// list returns the newest boots that the journal knows, oldest first.
func (b *boots) list(ctx context.Context) ([]fleet.Boot, error) {
	out, err := b.journalctl(ctx, "--list-boots")
	if err != nil {
		return nil, err
	}
	all := parseBoots(out)
	return all[max(0, len(all)-bootsKept):], nil
}

// end reads how a boot ended.
func (b *boots) end(ctx context.Context, id string) bootEnd {
	out, err := b.journalctl(ctx, "--boot="+id, "--lines="+strconv.Itoa(bootsTail), "--output-fields=MESSAGE,MESSAGE_ID,_PID,SYSLOG_IDENTIFIER")
	if err != nil {
		return bootEnd{}
	}
	return endOfBoot(out)
}

// parseBoots reads the answer of journalctl --list-boots: JSON since systemd 251, before that lines such as
// " -1 b298059636bf4c98a8367cdbd2330103 Sun 2017-03-05 12:29:39 UTC—Thu 2017-03-09 15:30:39 UTC".
func parseBoots(out []byte) (all []fleet.Boot) {
	var rows []struct {
		ID    string `json:"boot_id"`
		First int64  `json:"first_entry"` // microseconds
		Last  int64  `json:"last_entry"`
	}
	if json.Unmarshal(out, &rows) == nil {
		for _, r := range rows {
			if isBootID(r.ID) && r.First > 0 && r.First <= r.Last && r.Last < 1<<53 {
				all = append(all, fleet.Boot{ID: r.ID, First: time.UnixMicro(r.First).UTC(), Last: time.UnixMicro(r.Last).UTC()})
			}
		}
		return all
	}
	times := regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`)
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		at := times.FindAllString(line, -1)
		if len(f) < 2 || !isBootID(f[1]) || len(at) != 2 {
			continue
		}
		first, err1 := time.Parse("2006-01-02 15:04:05 MST", at[0])
		last, err2 := time.Parse("2006-01-02 15:04:05 MST", at[1])
		if err1 == nil && err2 == nil && !last.Before(first) {
			all = append(all, fleet.Boot{ID: f[1], First: first.UTC(), Last: last.UTC()})
		}
	}
	return all
}

func isBootID(s string) bool { return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == "" }

// journalStopped is the MESSAGE_ID of journald's last line.
const journalStopped = "d93fb3c9c24d451a97cea615ce59c00b"

// endOfBoot judges the last lines of a boot, as journalctl -o json writes them. At a shutdown PID 1 reaches a target of it
// and says so, systemd-shutdown ends what is left, and journald stops; on a machine with /var of its own the journal leaves
// that before. A journal that ends with none of them ends in the middle.
func endOfBoot(out []byte) (e bootEnd) {
	goes := regexp.MustCompile(`^(?:Reached target .*(?:Power.?Off|Reboot|Halt|Shutdown|Kexec)|Shutting down\.$|Stopp(?:ing|ed) (?:\S+ - )?Flush Journal to Persistent Storage)`)
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	for i, line := range lines {
		var l struct {
			Message    any `json:"MESSAGE"`
			ID         any `json:"MESSAGE_ID"`
			PID        any `json:"_PID"`
			Identifier any `json:"SYSLOG_IDENTIFIER"`
		}
		if json.Unmarshal([]byte(line), &l) != nil {
			continue
		}
		text, _ := l.Message.(string)
		who, _ := l.Identifier.(string)
		if e.last = who + ": " + text; len(e.last) > 200 {
			e.last = e.last[:200]
		}
		e.last = strings.ToValidUTF8(e.last, "?")
		switch {
		case who == "systemd-shutdown", l.PID == "1" && goes.MatchString(text), l.ID == journalStopped && i >= len(lines)-3:
			e.ended = fleet.BootShutDown
		case e.ended == "":
			e.ended = fleet.BootCut
		}
	}
	return e
}
