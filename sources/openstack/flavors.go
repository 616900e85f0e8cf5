package openstack

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"slices"

	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/fleet"
)

// watchFlavors keeps the scope of flavors. Nova shows an admin the private ones too when told that it does not matter.
// The servers come first: nobody waits for flavors.
func (w *watch) watchFlavors(ctx context.Context) {
	select {
	case <-w.listed:
	case <-ctx.Done():
		return
	}
	before := fleet.Facts{}
	w.keepLooking(ctx, ScopeFlavors, w.options.Flavors, w.flavors, func(ctx context.Context) (fleet.Facts, error) {
		c, err := w.clients.Compute(ctx, wanted)
		if err != nil {
			return nil, err
		}
		var rows []fleet.Object
		all, err := list(ctx, c, "flavors/detail", "flavors", url.Values{"is_public": {"None"}},
			func(r *wireFlavor) string { return r.ID },
			func(_ int, r *wireFlavor) {
				one := r.flavor()
				one.Source = w.Name()
				rows = append(rows, &one)
			})
		if err == nil && minorOf(c) < 61 {
			err = w.readExtraSpecs(ctx, c, rows)
		}
		if err != nil {
			return nil, err
		}
		before = tidy(before, rows)
		return before, w.unfit("flavors", rows, all.bad, "flavor", "list", "--all", "--long")
	})
}

// readExtraSpecs asks for the extra specs of each flavor: before microversion 2.61 the list has none. Who is no admin
// can do nothing with them.
func (w *watch) readExtraSpecs(ctx context.Context, c *gophercloud.ServiceClient, rows []fleet.Object) error {
	me, err := w.clients.Whoami(ctx)
	if err != nil || !slices.Contains(me.Roles, "admin") {
		return err
	}
	for _, o := range rows {
		one := o.(*fleet.Flavor)
		var answer struct {
			Extra map[string]string `json:"extra_specs"`
		}
		_, err := fetch(ctx, c, "flavors/"+url.PathEscape(one.ID)+"/os-extra_specs", func(body io.Reader) error {
			return json.NewDecoder(body).Decode(&answer)
		})
		if err != nil {
			return err
		}
		one.Extra = answer.Extra
	}
	return nil
}
