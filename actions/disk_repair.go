package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// RepairDisk copies a disk of a domain that is off and then runs qemu-img check -r all on the original.
type RepairDisk struct {
	Source string `json:"source"`
	UUID   string `json:"uuid"`
	File   string `json:"file"`
	Stamp  string `json:"stamp"` // when it was asked for, for the name of the copy
}

// Name is disk-repair.
func (a RepairDisk) Name() string { return "disk-repair" }

// Target is the domain.
func (a RepairDisk) Target() fleet.Ref { return domainRef(a.Source, a.UUID) }

func (a RepairDisk) copyName() string { return a.File + ".strata-" + a.Stamp }

func (a RepairDisk) copyArgv() []string {
	return []string{"cp", "--reflink=auto", "--sparse=always", "--preserve=all", a.File, a.copyName()}
}

func (a RepairDisk) repairArgv() []string {
	return []string{"qemu-img", "check", "-r", "all", a.File}
}

// Plan has the domain's name typed. Whether there is room for the copy is looked at before it is begun.
func (a RepairDisk) Plan(s *fleet.Snapshot) Plan {
	p, d := domainPlan(s, a, "repair a disk of", a.repairArgv())
	p.NoUndo = "the copy holds it as it was: with the domain off, mv " + sh.Quote(a.copyName(), a.File)
	if d == nil {
		return p
	}
	p.Ask = d.Name
	p.Effects = []string{
		"first a copy, if there is room for it: " + Plan{Command: a.copyArgv()}.Line(),
		"then qemu-img writes to the tables of the image: what it cannot make fit together it drops",
		"the copy stays until somebody removes it",
	}
	p.Refused = append(p.Refused, refuseImage(d, a.File, "repaired")...)
	p.Against = append(ofNova(d, "do not let nova start it meanwhile: lock it (openstack server lock)"), p.Against...)
	return p
}

func (a RepairDisk) apply(ctx context.Context, hands Hands, say func(Step)) error {
	m, err := hands.writing.Machine(a.Source)
	if err != nil {
		return err
	}
	size, err := a.room(ctx, m)
	if err != nil {
		return fmt.Errorf("repairing %s: nothing was done: %w", a.File, err)
	}
	if err := a.copyFile(ctx, m, size, say); err != nil {
		return fmt.Errorf("repairing %s: the original was not touched: copying it to %s: %w", a.File, a.copyName(), err)
	}
	say(Step{Says: "qemu-img repairs " + a.File + "; the copy is " + a.copyName()})
	// To end it in the middle would leave tables half written, so it is not ended when somebody no longer wants it.
	r, err := m.Run(context.WithoutCancel(ctx), sh.Cmd{Argv: a.repairArgv(), Deadline: imageTakes, MaxOut: imageSays})
	if err != nil {
		return &connect.Lost{Err: fmt.Errorf("repairing %s: %w; the copy is %s", a.File, err, a.copyName())}
	}
	output := lastLines(string(r.Stdout)+r.Stderr, imageShown)
	if r.Code != 0 {
		say(Step{Says: "not all could be repaired", Output: output})
		return fmt.Errorf("repairing %s: not all could be repaired: %s; the copy is %s", a.File, imageError(r), a.copyName())
	}
	say(Step{Says: "repaired; the copy is " + a.copyName(), Output: output})
	return nil
}

// spare is left free on the filesystem beside the copy.
const spare = 1 << 30

// room checks that a copy fits, and returns how large it will be at most.
func (a RepairDisk) room(ctx context.Context, m connect.Machine) (uint64, error) {
	r, err := m.Run(ctx, sh.Cmd{Argv: []string{"qemu-img", "info", "--output=json", a.File}})
	if err != nil || r.Code != 0 {
		return 0, errors.Join(err, errors.New("reading its size: "+imageError(r)))
	}
	var info struct {
		Size uint64 `json:"actual-size"`
	}
	if err := json.Unmarshal(r.Stdout, &info); err != nil {
		return 0, fmt.Errorf("reading its size: %w", err)
	}
	r, err = m.Run(ctx, sh.Cmd{Argv: []string{"df", "-B1", "--output=avail", a.File}})
	if err != nil || r.Code != 0 {
		return 0, errors.Join(err, errors.New("reading the free space: "+imageError(r)))
	}
	fields := strings.Fields(string(r.Stdout))
	if len(fields) == 0 {
		return 0, errors.New("reading the free space: df printed nothing")
	}
	free, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the free space: %w", err)
	}
	if free < info.Size+spare {
		return 0, fmt.Errorf("no room for a copy: it takes up to %d MiB, %d MiB are free, and 1 GiB is to stay free", info.Size>>20, free>>20)
	}
	return info.Size, nil
}

// copyFile copies the disk and tells how far it is. A copy that was not finished is removed.
func (a RepairDisk) copyFile(ctx context.Context, m connect.Machine, size uint64, say func(Step)) error {
	copied := make(chan error, 1)
	go func() {
		r, err := m.Run(ctx, sh.Cmd{Argv: a.copyArgv(), Deadline: imageTakes})
		if err == nil && r.Code != 0 {
			err = errors.New(imageError(r))
		}
		copied <- err
	}()
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		step := Step{Says: "copying to " + a.copyName()}
		if info, err := os.Stat(m.Path(a.copyName())); err == nil && size > 0 {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				step.Share = fleet.Some(min(1, float64(stat.Blocks*512)/float64(size)))
			}
		}
		say(step)
		select {
		case err := <-copied:
			if err != nil {
				if removed := os.Remove(m.Path(a.copyName())); removed != nil && !os.IsNotExist(removed) {
					err = fmt.Errorf("%w; what was copied is still there: %w", err, removed)
				}
			}
			return err
		case <-ticks.C:
		}
	}
}

// seen: the world shows a domain that is off as before; that the image is sound now is what disk-check tells.
func (a RepairDisk) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	d, ok := fleet.Find[*fleet.Domain](s, a.Target())
	switch {
	case !ok:
		return failed, "the domain is gone"
	case domainOn(d):
		return failed, "the domain was started meanwhile: " + d.Health().Word
	}
	return done, "repaired, the copy is " + a.copyName()
}
