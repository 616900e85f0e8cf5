package openstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gophercloud/gophercloud/v2"
)

// Limits of an answer, against endless ones.
const (
	largestAnswer = 256 << 20
	mostPages     = 1000
)

// fetch gets a path below a service's endpoint and hands the body to read. It returns the server's own time of the
// answer, zero when it does not tell.
func fetch(ctx context.Context, c *gophercloud.ServiceClient, path string, read func(io.Reader) error) (time.Time, error) {
	answer, err := c.Get(ctx, c.ServiceURL(path), nil, &gophercloud.RequestOpts{
		KeepResponseBody: true, OkCodes: []int{http.StatusOK},
	})
	if err != nil {
		return time.Time{}, err
	}
	defer answer.Body.Close()
	// A wrong Date is no Date.
	date, _ := http.ParseTime(answer.Header.Get("Date"))
	if err := read(io.LimitReader(answer.Body, largestAnswer)); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // what the decoder says of a body that stopped coming would mislead
		}
		return time.Time{}, fmt.Errorf("reading the answer: %w", unexpected(err))
	}
	// The rest of a body lets the connection be used again; nothing of it matters.
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
	return date, nil
}

// listed is what a list of all pages said beside its rows.
type listed struct {
	date time.Time // of the first page, by the server's clock
	bad  []badRow  // index is the number of the row over all pages
}

// list gets all pages of a list. id tells the row that the next page goes on after, when the link does not.
func list[T any](
	ctx context.Context, c *gophercloud.ServiceClient, path, name string, query url.Values, id func(*T) string, row func(int, *T),
) (listed, error) {
	var all listed
	rows := 0
	markers := map[string]bool{}
	for range mostPages {
		var p page
		first, last := rows, ""
		where := path
		if len(query) > 0 {
			where += "?" + query.Encode()
		}
		date, err := fetch(ctx, c, where, func(body io.Reader) (err error) {
			p, err = readPage(body, name, func(i int, r *T) {
				last = id(r)
				rows++
				row(first+i, r)
			})
			return err
		})
		if err != nil {
			return all, err
		}
		if all.date.IsZero() {
			all.date = date
		}
		for _, b := range p.bad {
			all.bad = append(all.bad, badRow{first + b.index, b.err})
		}
		if p.next == "" {
			return all, nil
		}
		// Only the marker of the link is used: behind a proxy its host and scheme are often wrong.
		marker := last
		if link, err := url.Parse(p.next); err == nil && link.Query().Get("marker") != "" {
			marker = link.Query().Get("marker")
		}
		if marker == "" || markers[marker] {
			return all, fmt.Errorf("the pages go in circles: marker %q came again", marker)
		}
		markers[marker] = true
		query.Set("marker", marker)
	}
	return all, errors.New("the list has no end")
}
