package ui

import (
	"maps"
	"slices"
	"strings"

	"strata/internal/fleet"
)

func flavorsView() *view {
	return &view{
		name: "flavors", title: "Flavors", kinds: []fleet.Kind{fleet.KindFlavor}, worst: worstFlavors,
		systems: []string{"openstack"}, empty: "this cloud shows no flavors",
		count: func(c *scene) string { return itoa(c.s.Tally(fleet.KindFlavor).Total()) },
		columns: []column{
			{title: "name", width: 14, grow: 1, search: true, cell: of(func(_ *scene, f *fleet.Flavor) cell { return cell{text: f.Name} }), key: text(func(f *fleet.Flavor) string { return f.Name })},
			{title: "vcpus", width: 5, right: true, drop: 4, cell: of(func(_ *scene, f *fleet.Flavor) cell { return cell{itoa(f.VCPUs), dim} }), key: number(func(f *fleet.Flavor) float64 { return float64(f.VCPUs) })},
			{title: "memory", width: 8, right: true, drop: 5, cell: of(func(_ *scene, f *fleet.Flavor) cell { return cell{itoa(f.RAMMiB) + "M", dim} }), key: number(func(f *fleet.Flavor) float64 { return float64(f.RAMMiB) })},
			{title: "disk", width: 6, right: true, drop: 6, cell: of(func(_ *scene, f *fleet.Flavor) cell { return cell{itoa(f.DiskGiB) + "G", dim} }), key: number(func(f *fleet.Flavor) float64 { return float64(f.DiskGiB) })},
			{title: "servers", width: 7, right: true, drop: 3, cell: of(func(c *scene, f *fleet.Flavor) cell { return cell{positive(madeWith(c.s, f)), dim} })},
			{title: "extra specs", width: 24, grow: 4, drop: 1, search: true, cell: of(func(_ *scene, f *fleet.Flavor) cell { return cell{extraSpecs(f), plain} })},
			{title: "cloud", width: 10, drop: 2, search: true, cell: of(func(_ *scene, f *fleet.Flavor) cell { return cell{system(f.Source), dim} })},
		},
	}
}

func worstFlavors(o fleet.Object, state fleet.State) sortKey {
	k := worst(o, state)
	if f, ok := o.(*fleet.Flavor); ok {
		k.str = f.Name
	}
	return k
}

// madeWith counts the servers that were made with a flavor.
func madeWith(s *fleet.Snapshot, f *fleet.Flavor) (n int) {
	for sv := range fleet.All[*fleet.Server](s, fleet.KindServer) {
		if f.Made(sv) {
			n++
		}
	}
	return n
}

// extraSpecs are the extra specs of a flavor, by name.
func extraSpecs(f *fleet.Flavor) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(f.Extra)) {
		pairs = append(pairs, key+"="+f.Extra[key])
	}
	return strings.Join(pairs, " ")
}
