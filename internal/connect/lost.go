package connect

import (
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// Lost is the error of a writing request whose answer never came: it may have been carried out.
type Lost struct{ Err error }

func (l *Lost) Error() string { return l.Err.Error() }

func (l *Lost) Unwrap() error { return l.Err }

// noticeLost turns the failures of a writing request that leave open whether it was carried out into Lost. A gateway's
// 502 and 504 are such failures too: the server behind it may have done the work.
func noticeLost(next http.RoundTripper) http.RoundTripper { return lossy{next} }

type lossy struct{ next http.RoundTripper }

func (l lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return l.next.RoundTrip(r)
	}
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	answer, err := l.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		if !sent.Load() {
			return nil, err // nobody can have carried out what never left
		}
		return nil, &Lost{err}
	}
	if answer.StatusCode == http.StatusBadGateway || answer.StatusCode == http.StatusGatewayTimeout {
		_ = answer.Body.Close()
		return nil, &Lost{fmt.Errorf("the gateway answered %s", answer.Status)}
	}
	return answer, nil
}
