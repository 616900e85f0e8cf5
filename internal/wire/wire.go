// Package wire writes snapshots and observations as JSON and reads them back: `snapshot -o json`, recordings, fixtures.
// Unknown fields and kinds are ignored, so that an older strata can read what a newer one wrote.
package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

// Schema names the format. The number grows when a field changes its meaning or goes; new fields do not change it.
const Schema = "strata/v1"

// snapshot is the JSON form of a fleet.Snapshot. docs/snapshot.md describes it.
type snapshot struct {
	Schema   string          `json:"schema"`
	Seq      uint64          `json:"seq"`
	At       time.Time       `json:"at"`
	Parts    []part          `json:"parts"`
	Links    []fleet.Link    `json:"links,omitempty"`
	Findings []fleet.Finding `json:"findings,omitempty"`
}

type part struct {
	Source       string            `json:"source"`
	Scope        string            `json:"scope"`
	Kind         fleet.Kind        `json:"kind,omitempty"`
	At           time.Time         `json:"at,omitzero"`
	Every        time.Duration     `json:"everyNs,omitempty"`
	Err          string            `json:"error,omitempty"`
	Fix          string            `json:"fix,omitempty"`
	ErrAt        time.Time         `json:"errorSince,omitzero"`
	Partial      bool              `json:"partial,omitempty"`
	Unconfigured bool              `json:"unconfigured,omitempty"`
	Objects      []json.RawMessage `json:"objects"`
}

// EncodeSnapshot writes a snapshot, indented. Nothing in it is obeyed by a terminal.
func EncodeSnapshot(s *fleet.Snapshot) ([]byte, error) {
	out := snapshot{Schema: Schema, Seq: s.Seq, At: s.At, Links: s.Links, Findings: s.Findings, Parts: make([]part, len(s.Parts))}
	for i := range s.Parts {
		p := &s.Parts[i]
		objects := make([]json.RawMessage, len(p.Facts))
		for j, o := range p.Facts {
			b, err := json.Marshal(o)
			if err != nil {
				return nil, fmt.Errorf("writing %s: %w", o.Ref(), err)
			}
			objects[j] = b
		}
		out.Parts[i] = part{
			Source: p.Source, Scope: p.Scope, Kind: p.Kind, At: p.At, Every: p.Every, Err: p.Err, Fix: p.Fix,
			ErrAt: p.ErrAt, Partial: p.Partial, Unconfigured: p.Unconfigured, Objects: objects,
		}
	}
	b, err := json.MarshalIndent(out, "", "  ")
	return Printable(b), err
}

// DecodeSnapshot reads what EncodeSnapshot wrote.
func DecodeSnapshot(b []byte) (*fleet.Snapshot, error) {
	var in snapshot
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("reading a snapshot: %w", err)
	}
	if in.Schema != Schema {
		return nil, fmt.Errorf("reading a snapshot: its schema is %q, this strata reads %q", in.Schema, Schema)
	}
	parts := make([]fleet.Part, len(in.Parts))
	for i, p := range in.Parts {
		facts := make(fleet.Facts, 0, len(p.Objects))
		for _, raw := range p.Objects {
			o, known, err := decode(p.Kind, raw)
			if err != nil {
				return nil, fmt.Errorf("reading a snapshot: %s of %s: %w", p.Kind, p.Source, err)
			}
			if known {
				facts = append(facts, o)
			}
		}
		parts[i] = fleet.Part{
			Source: p.Source, Scope: p.Scope, Kind: p.Kind, At: p.At, Every: p.Every, Err: p.Err, Fix: p.Fix,
			ErrAt: p.ErrAt, Partial: p.Partial, Unconfigured: p.Unconfigured, Facts: facts,
		}
		// Whoever reads a snapshot searches it.
		slices.SortStableFunc(facts, fleet.Compare)
	}
	return fleet.NewSnapshot(in.Seq, in.At, parts, in.Links, in.Findings), nil
}

func decode(kind fleet.Kind, raw json.RawMessage) (o fleet.Object, known bool, err error) {
	o, known = blank(kind)
	if known {
		err = json.Unmarshal(raw, o)
	}
	return o, known, err
}

func blank(kind fleet.Kind) (fleet.Object, bool) {
	switch kind {
	case fleet.KindServer:
		return new(fleet.Server), true
	case fleet.KindCompute:
		return new(fleet.ComputeService), true
	case fleet.KindHypervisor:
		return new(fleet.Hypervisor), true
	case fleet.KindFlavor:
		return new(fleet.Flavor), true
	case fleet.KindNode:
		return new(fleet.Node), true
	case fleet.KindLease:
		return new(fleet.Lease), true
	case fleet.KindPod:
		return new(fleet.Pod), true
	case fleet.KindEvent:
		return new(fleet.Event), true
	case fleet.KindVolume:
		return new(fleet.Volume), true
	case fleet.KindClaim:
		return new(fleet.Claim), true
	case fleet.KindWorkload:
		return new(fleet.Workload), true
	case fleet.KindApp:
		return new(fleet.App), true
	case fleet.KindLog:
		return new(fleet.Log), true
	case fleet.KindManifest:
		return new(fleet.Manifest), true
	case fleet.KindHost:
		return new(fleet.Host), true
	case fleet.KindSensor:
		return new(fleet.Sensor), true
	case fleet.KindDisk:
		return new(fleet.Disk), true
	case fleet.KindFilesystem:
		return new(fleet.Filesystem), true
	case fleet.KindCheck:
		return new(fleet.Check), true
	case fleet.KindAgent:
		return new(fleet.Agent), true
	case fleet.KindUnit:
		return new(fleet.Unit), true
	case fleet.KindSwap:
		return new(fleet.SwapArea), true
	case fleet.KindKernel:
		return new(fleet.KernelEvent), true
	case fleet.KindKernelLog:
		return new(fleet.KernelLog), true
	case fleet.KindBoot:
		return new(fleet.BootRecord), true
	case fleet.KindDomain:
		return new(fleet.Domain), true
	case fleet.KindAlert:
		return new(fleet.Alert), true
	case fleet.KindDeed:
		return new(fleet.Deed), true
	}
	return nil, false
}
