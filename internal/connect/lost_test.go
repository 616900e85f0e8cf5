package connect

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWhatIsLostAndWhatFailed(t *testing.T) {
	t.Parallel()
	drop := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer drop.Close()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGatewayTimeout) }))
	defer gateway.Close()
	refuse := httptest.NewServer(http.NotFoundHandler())
	refuse.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		method string
		url    string
		lost   bool
	}{
		"the answer never came":        {t.Context(), http.MethodPost, drop.URL, true},
		"the gateway gave up":          {t.Context(), http.MethodPost, gateway.URL, true},
		"nobody listens":               {t.Context(), http.MethodPost, refuse.URL, false},
		"cancelled before it was sent": {cancelled, http.MethodPost, drop.URL, false},
		"a reading request":            {t.Context(), http.MethodGet, drop.URL, false},
	} {
		req, err := http.NewRequestWithContext(c.ctx, c.method, c.url, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{Transport: noticeLost(&http.Transport{DisableKeepAlives: true})}
		answer, err := client.Do(req)
		if err == nil {
			_ = answer.Body.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		var lost *Lost
		if got := errors.As(err, &lost); got != c.lost {
			t.Errorf("%s: lost is %v, want %v (%v)", name, got, c.lost, err)
		}
	}
}
