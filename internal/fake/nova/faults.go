package nova

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// API is one of the two services that the fake has.
type API string

// The APIs of the fake.
const (
	Keystone API = "identity"
	Nova     API = "compute"
)

// Fault spoils an answer. whole writes the answer that would have been given.
type Fault func(w http.ResponseWriter, r *http.Request, whole http.HandlerFunc)

// Break makes every answer of an API faulty until Heal.
func (f *Cloud) Break(api API, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[api] = fault
}

// Heal ends all faults.
func (f *Cloud) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.faults)
}

// ExpireTokens makes all tokens given out so far invalid, as Keystone does when it is restarted with new keys.
func (f *Cloud) ExpireTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.tokens)
}

// Unauthorized refuses every token, and every login.
func Unauthorized() Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) { unauthorized(w) }
}

// RateLimit answers 429 with Retry-After in whole seconds, or without when it is zero.
func RateLimit(after time.Duration) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		if after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
		}
		fail(w, http.StatusTooManyRequests, "This request was rate-limited.")
	}
}

// Unavailable answers 503 as a load balancer without a backend does, with Retry-After when after is not zero.
func Unavailable(after time.Duration) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		if after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "<html><head><title>503 Service Unavailable</title></head><body>No server is available</body></html>")
	}
}

// Hang takes the request and never answers, until the caller gives up.
func Hang() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { <-r.Context().Done() }
}

// Slow answers after a while, by the wall clock.
func Slow(by time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, whole http.HandlerFunc) {
		timer := time.NewTimer(by)
		defer timer.Stop()
		select {
		case <-timer.C:
			whole(w, r)
		case <-r.Context().Done():
		}
	}
}

// CutBody promises the whole answer, sends half of it and drops the connection.
func CutBody() Fault {
	return func(w http.ResponseWriter, r *http.Request, whole http.HandlerFunc) {
		answer := record(whole, r)
		maps.Copy(w.Header(), answer.Header())
		w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // how net/http is told to drop a connection
	}
}

// LoseAnswer carries the request out and drops the connection instead of answering.
func LoseAnswer() Fault {
	return func(_ http.ResponseWriter, r *http.Request, whole http.HandlerFunc) {
		record(whole, r)
		panic(http.ErrAbortHandler)
	}
}

// Garbage answers 200 with something that is no JSON.
func Garbage() Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Welcome to the captive portal</body></html>")
	}
}

// Replace changes bytes of every answer, to make single rows wrong.
func Replace(old, with string) Fault {
	return func(w http.ResponseWriter, r *http.Request, whole http.HandlerFunc) {
		answer := record(whole, r)
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(bytes.ReplaceAll(answer.Body.Bytes(), []byte(old), []byte(with)))
	}
}

// Only spoils requests whose path begins so ("/os-services") and leaves the others whole.
func Only(prefix string, fault Fault) Fault {
	return func(w http.ResponseWriter, r *http.Request, whole http.HandlerFunc) {
		_, path := split(r.URL.Path)
		if len(path) >= len(prefix) && path[:len(prefix)] == prefix {
			fault(w, r, whole)
			return
		}
		whole(w, r)
	}
}

func record(whole http.HandlerFunc, r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	whole(answer, r)
	return answer
}
