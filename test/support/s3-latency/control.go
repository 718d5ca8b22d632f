package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// fault is played for the next calls of one name.
//
//	error     answers Status with Code (and Retry-After, if given)
//	hang      never answers
//	drop      does the work, then closes the connection without an answer
//	truncate  closes the connection after Bytes of the body
//	short     announces and sends only Bytes of the body, with the Content-Range of all of it
//	whole     ignores the range and answers 200 with the whole object
type fault struct {
	API        string `json:"api"`
	Kind       string `json:"kind"`
	Count      int    `json:"count"`
	Status     int    `json:"status"`
	Code       string `json:"code"`
	RetryAfter string `json:"retryAfter"`
	Bytes      int    `json:"bytes"`
}

type control struct {
	mu       sync.Mutex
	delay    time.Duration
	calls    map[string]int64
	bytesOut int64
	faults   []*fault
}

// called counts a call and takes the fault that is due for it, if any.
func (c *control) called(api string) (time.Duration, *fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[api]++
	for _, f := range c.faults {
		if f.Count > 0 && (f.API == api || f.API == "") {
			f.Count--
			taken := *f
			return c.delay, &taken
		}
	}
	return c.delay, nil
}

func (c *control) sent(n int) {
	c.mu.Lock()
	c.bytesOut += int64(n)
	c.mu.Unlock()
}

func (s *server) serveControl(w http.ResponseWriter, r *http.Request) {
	c := &s.control
	query := r.URL.Query()
	switch r.URL.Path {
	case "/_control/stats":
		c.mu.Lock()
		stats := map[string]any{"calls": c.calls, "bytesOut": c.bytesOut, "uploads": s.store.uploadCount()}
		defer c.mu.Unlock()
		_ = json.NewEncoder(w).Encode(stats)
	case "/_control/reset":
		c.mu.Lock()
		c.calls, c.bytesOut, c.faults = map[string]int64{}, 0, nil
		c.mu.Unlock()
	case "/_control/delay":
		ms, err := strconv.ParseFloat(query.Get("ms"), 64)
		if err != nil {
			http.Error(w, "ms is missing", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		c.delay = time.Duration(ms * float64(time.Millisecond))
		c.mu.Unlock()
	case "/_control/fault":
		var f fault
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if f.Count == 0 {
			f.Count = 1
		}
		c.mu.Lock()
		c.faults = append(c.faults, &f)
		c.mu.Unlock()
	case "/_control/fill":
		s.fill(query.Get("bucket"), query.Get("prefix"), query.Get("count"), query.Get("bytes"))
	default:
		http.NotFound(w, r)
	}
}

// fill makes count objects prefix000000 … of so many bytes each. Byte i of every object is (i*31 + (i>>8)*7) & 255.
func (s *server) fill(bucket, prefix, count, size string) {
	n, _ := strconv.Atoi(count)
	length, _ := strconv.Atoi(size)
	body := make([]byte, length)
	for i := range body {
		body[i] = byte(i*31 + (i>>8)*7)
	}
	o := newObject(body, nil)
	s.store.makeBucket(bucket)
	for i := 0; i < n; i++ {
		s.store.put(bucket, fmt.Sprintf("%s%06d", prefix, i), o, false)
	}
}
