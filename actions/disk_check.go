package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/internal/sh"
)

// CheckDisk runs qemu-img check on a disk of a domain that is off. It changes nothing. It fails when the image is damaged;
// space that is lost in it is no damage.
type CheckDisk struct {
	Source string `json:"source"`
	UUID   string `json:"uuid"`
	File   string `json:"file"`
}

// Name is disk-check.
func (a CheckDisk) Name() string { return "disk-check" }

// Target is the domain.
func (a CheckDisk) Target() fleet.Ref { return domainRef(a.Source, a.UUID) }

// Plan refuses a disk that is in use: what is written meanwhile looks like damage.
func (a CheckDisk) Plan(s *fleet.Snapshot) Plan {
	p, d := domainPlan(s, a, "check a disk of", []string{"qemu-img", "check", a.File})
	p.Reads, p.NoUndo = true, "it changes nothing"
	if d == nil {
		return p
	}
	p.Effects = []string{"reads the tables of the whole image; nothing is changed"}
	p.Refused = append(p.Refused, refuseImage(d, a.File, "checked")...)
	return p
}

// refuseImage says why a disk's file cannot be worked on.
func refuseImage(d *fleet.Domain, file, done string) (why []string) {
	i := slices.IndexFunc(d.Disks, func(k fleet.DomainDisk) bool { return k.File == file && file != "" })
	switch {
	case i < 0:
		why = append(why, fmt.Sprintf("it has no disk in %q", file))
	case !strings.HasPrefix(file, "/"):
		why = append(why, file+" is no file of this machine")
	case d.Disks[i].Format == "raw":
		why = append(why, "a raw disk has no tables that could be "+done+": check its filesystem from inside the guest")
	}
	if domainOn(d) {
		why = append(why, "it is "+d.Health().Word+": its disks can only be "+done+" while it is off")
	}
	return why
}

// How long qemu-img may take, and how much of what it says is shown.
const (
	imageTakes = 6 * time.Hour
	imageSays  = 64 << 20
	imageShown = 200 // lines
)

func (a CheckDisk) apply(ctx context.Context, hands Hands, say func(Step)) error {
	m, err := hands.writing.Machine(a.Source)
	if err != nil {
		return err
	}
	say(Step{Says: "qemu-img reads " + a.File})
	r, err := m.Run(ctx, sh.Cmd{Argv: []string{"qemu-img", "check", a.File}, Deadline: imageTakes, MaxOut: imageSays})
	if err != nil {
		return fmt.Errorf("checking %s: %w", a.File, err)
	}
	if r.Code != 0 && r.Code != 2 && r.Code != 3 {
		return fmt.Errorf("checking %s: %s", a.File, imageError(r))
	}
	verdict := map[int]string{
		0: "no error in the tables of the image; what the guest wrote into it is not looked at",
		2: "THE IMAGE IS DAMAGED: keep a copy of the file before anything writes to it, then disk-repair",
		3: "space is lost in the image, no data: disk-repair gives it back",
	}[r.Code]
	say(Step{Says: verdict, Output: verdict + "\n\n" + lastLines(string(r.Stdout)+r.Stderr, imageShown)})
	if r.Code == 2 {
		return fmt.Errorf("checking %s: %s", a.File, verdict)
	}
	return nil
}

// imageError is what qemu-img had to say when it could not do its work.
func imageError(r sh.Result) string {
	says := strings.Join(strings.Fields(r.Stderr), " ")
	if says == "" {
		says = strings.Join(strings.Fields(lastLines(string(r.Stdout), 3)), " ")
	}
	return fmt.Sprintf("%s (exit code %d)", says, r.Code)
}

func lastLines(text string, most int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if cut := len(lines) - most; cut > 0 {
		lines = append([]string{fmt.Sprintf("(%d lines before this are left out)", cut)}, lines[cut:]...)
	}
	return strings.Join(lines, "\n")
}

func (a CheckDisk) seen(*fleet.Snapshot, time.Time) (verdict, string) { return done, "answered" }
