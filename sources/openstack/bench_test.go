package openstack

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/internal/connect"
	"strata/internal/fake/nova"
	"strata/internal/fleet"
)

// BenchmarkChangedOneOf2000 is a whole poll over HTTP in which one of 2,000 servers changed; the fake's own time is in
// it.
func BenchmarkChangedOneOf2000(b *testing.B) {
	f := nova.Start(nova.Config{})
	defer f.Close()
	long := time.Now().Add(-24 * time.Hour)
	var id string
	for i := range 2000 {
		id = f.AddServer(nova.Server{Name: fmt.Sprint("w", i), Created: long})
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "clouds.yaml"), []byte(f.CloudsYAML("home=admin")), 0o600); err != nil {
		b.Fatal(err)
	}
	found, _ := connect.Clouds(connect.Search{Getenv: func(string) string { return "" }, Dir: dir})
	s := New(found[0], Options{Full: time.Hour}).(*source)
	clients := s.cloud.ForReading("bench")
	defer clients.Close()
	var last fleet.Observation
	w := &watch{source: s, clients: clients, see: func(o fleet.Observation) { last = o }}
	one := newServers(w)
	one.look(b.Context())
	b.ReportAllocs()
	locked := false
	for b.Loop() {
		locked = !locked
		f.Lock(id, locked)
		one.look(b.Context())
	}
	if last.Err != nil || len(last.Facts) != 2000 {
		b.Fatal(len(last.Facts), last.Err)
	}
}
