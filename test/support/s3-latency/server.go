package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

type server struct {
	store   *store
	control control
}

func newServer(delay time.Duration) *server {
	return &server{store: newStore(), control: control{delay: delay, calls: map[string]int64{}}}
}

type failure struct {
	XMLName       xml.Name `xml:"Error"`
	Code, Message string
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(failure{Code: code, Message: "s3-latency says " + code})
}

// apiOf names the call as the SDK does.
func apiOf(r *http.Request, key string) string {
	query := r.URL.Query()
	copies := r.Header.Get("x-amz-copy-source") != ""
	switch {
	case key == "" && r.Method == http.MethodGet:
		return "ListObjectsV2"
	case key == "" && r.Method == http.MethodPut:
		return "CreateBucket"
	case key == "" && r.Method == http.MethodHead:
		return "HeadBucket"
	case key == "":
		return "DeleteObjects"
	case r.Method == http.MethodGet:
		return "GetObject"
	case r.Method == http.MethodHead:
		return "HeadObject"
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return "AbortMultipartUpload"
	case r.Method == http.MethodDelete:
		return "DeleteObject"
	case r.Method == http.MethodPost && query.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost:
		return "CompleteMultipartUpload"
	case query.Has("uploadId") && copies:
		return "UploadPartCopy"
	case query.Has("uploadId"):
		return "UploadPart"
	case copies:
		return "CopyObject"
	}
	return "PutObject"
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_control/") {
		s.serveControl(w, r)
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	api := apiOf(r, key)
	delay, due := s.control.called(api)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	time.Sleep(delay)
	if due != nil && s.play(w, r, due) {
		return
	}
	if api != "CreateBucket" && !s.store.hasBucket(bucket) {
		fail(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	if due != nil && due.Kind == "drop" {
		s.answer(discard{http.Header{}}, r, api, bucket, key, body, nil)
		panic(http.ErrAbortHandler)
	}
	s.answer(w, r, api, bucket, key, body, due)
}

// play does faults that need no work; it says whether the call is over.
func (s *server) play(w http.ResponseWriter, r *http.Request, due *fault) bool {
	switch due.Kind {
	case "hang":
		<-r.Context().Done()
		return true
	case "error":
		if due.RetryAfter != "" {
			w.Header().Set("Retry-After", due.RetryAfter)
		}
		fail(w, due.Status, due.Code)
		return true
	}
	return false
}

// discard is an answer that nobody will see.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func metadataOf(r *http.Request) map[string]string {
	metadata := map[string]string{}
	for name, values := range r.Header {
		if rest, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			metadata[rest] = values[0]
		}
	}
	return metadata
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, api, bucket, key string, body []byte, due *fault) {
	query := r.URL.Query()
	onlyNew := r.Header.Get("If-None-Match") == "*"
	switch api {
	case "CreateBucket":
		s.store.makeBucket(bucket)
	case "HeadBucket":
	case "ListObjectsV2":
		s.list(w, bucket, query)
	case "GetObject", "HeadObject":
		s.get(w, r, bucket, key, due)
	case "PutObject":
		o := newObject(body, metadataOf(r))
		if !s.store.put(bucket, key, o, onlyNew) {
			fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		w.Header().Set("ETag", quote(o.etag))
	case "CopyObject":
		source := s.source(r)
		if source == nil {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		s.store.put(bucket, key, newObject(source.body, source.metadata), false)
		writeXML(w, struct {
			XMLName            xml.Name `xml:"CopyObjectResult"`
			ETag, LastModified string
		}{ETag: quote(source.etag), LastModified: time.Now().UTC().Format(time.RFC3339)})
	case "DeleteObject":
		s.store.remove(bucket, key)
		w.WriteHeader(http.StatusNoContent)
	case "DeleteObjects":
		var request struct{ Object []struct{ Key string } }
		if err := xml.Unmarshal(body, &request); err != nil {
			fail(w, http.StatusBadRequest, "MalformedXML")
			return
		}
		for _, o := range request.Object {
			s.store.remove(bucket, o.Key)
		}
		writeXML(w, struct {
			XMLName xml.Name `xml:"DeleteResult"`
		}{})
	default:
		s.multipart(w, r, api, bucket, key, body, onlyNew)
	}
}

func (s *server) source(r *http.Request) *object {
	path, err := url.PathUnescape(r.Header.Get("x-amz-copy-source"))
	if err != nil {
		return nil
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return s.store.get(bucket, key)
}

func (s *server) multipart(w http.ResponseWriter, r *http.Request, api, bucket, key string, body []byte, onlyNew bool) {
	id := r.URL.Query().Get("uploadId")
	switch api {
	case "CreateMultipartUpload":
		writeXML(w, struct {
			XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
			Bucket, Key, UploadId string
		}{Bucket: bucket, Key: key, UploadId: s.store.begin(bucket, key, metadataOf(r))})
	case "UploadPart":
		number, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
		if !s.store.addPart(id, number, body) {
			fail(w, http.StatusNotFound, "NoSuchUpload")
			return
		}
		w.Header().Set("ETag", quote(newObject(body, nil).etag))
	case "CompleteMultipartUpload":
		if onlyNew && s.store.get(bucket, key) != nil {
			fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		u, o := s.store.finish(id)
		if u == nil {
			fail(w, http.StatusNotFound, "NoSuchUpload")
			return
		}
		s.store.put(u.bucket, u.key, o, false)
		writeXML(w, struct {
			XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
			Bucket, Key, ETag string
		}{Bucket: bucket, Key: key, ETag: quote(o.etag)})
	case "AbortMultipartUpload":
		if !s.store.abandon(id) {
			fail(w, http.StatusNotFound, "NoSuchUpload")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (s *server) get(w http.ResponseWriter, r *http.Request, bucket, key string, due *fault) {
	o := s.store.get(bucket, key)
	if o == nil {
		fail(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	if match := r.Header.Get("If-Match"); match != "" && strings.Trim(match, `"`) != o.etag {
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	from, to, status := 0, len(o.body), http.StatusOK
	if first, last, ok := parseRange(r.Header.Get("Range")); ok && (due == nil || due.Kind != "whole") {
		if first >= len(o.body) {
			fail(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
			return
		}
		from, to, status = first, min(len(o.body), last+1), http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.body)))
	}
	header := w.Header()
	header.Set("ETag", quote(o.etag))
	header.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	header.Set("Content-Type", "application/octet-stream")
	for name, value := range o.metadata {
		header.Set("x-amz-meta-"+name, value)
	}
	body := o.body[from:to]
	if due != nil && due.Kind == "short" {
		body = body[:min(len(body), due.Bytes)]
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if due != nil && due.Kind == "truncate" {
		_, _ = w.Write(body[:min(len(body), due.Bytes)])
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	n, _ := w.Write(body)
	s.control.sent(n)
}

// parseRange takes bytes=first-last and bytes=first-.
func parseRange(header string) (first, last int, ok bool) {
	spec, found := strings.CutPrefix(header, "bytes=")
	if !found {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(spec, "-")
	first, err := strconv.Atoi(from)
	if err != nil {
		return 0, 0, false
	}
	last = int(^uint(0)>>1) - 1
	if to != "" {
		if last, err = strconv.Atoi(to); err != nil {
			return 0, 0, false
		}
	}
	return first, last, true
}
