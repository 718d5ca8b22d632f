package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"sort"
	"sync"
	"time"
)

type object struct {
	body     []byte
	etag     string
	modified time.Time
	metadata map[string]string
}

type upload struct {
	bucket, key string
	metadata    map[string]string
	parts       map[int][]byte
}

// store holds buckets; a sorted list of keys is rebuilt when a listing needs it.
type store struct {
	mu      sync.RWMutex
	buckets map[string]map[string]*object
	sorted  map[string][]string
	uploads map[string]*upload
	nextID  int
}

func newStore() *store {
	return &store{
		buckets: map[string]map[string]*object{},
		sorted:  map[string][]string{},
		uploads: map[string]*upload{},
	}
}

func newObject(body []byte, metadata map[string]string) *object {
	sum := md5.Sum(body)
	return &object{body, hex.EncodeToString(sum[:]), time.Now().UTC(), metadata}
}

func (s *store) makeBucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] == nil {
		s.buckets[name] = map[string]*object{}
	}
}

func (s *store) hasBucket(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.buckets[name] != nil
}

func (s *store) get(bucket, key string) *object {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.buckets[bucket][key]
}

// put stores an object; with onlyNew it refuses to replace one.
func (s *store) put(bucket, key string, o *object, onlyNew bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, exists := s.buckets[bucket][key]
	if exists && onlyNew {
		return false
	}
	s.buckets[bucket][key] = o
	if !exists {
		delete(s.sorted, bucket)
	}
	return true
}

func (s *store) remove(bucket string, keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.buckets[bucket], key)
	}
	delete(s.sorted, bucket)
}

// keys gives all keys of a bucket in byte order; the slice is never changed afterwards.
func (s *store) keys(bucket string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.sorted[bucket]; ok {
		return known
	}
	keys := make([]string, 0, len(s.buckets[bucket]))
	for key := range s.buckets[bucket] {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	s.sorted[bucket] = keys
	return keys
}

func (s *store) begin(bucket, key string, metadata map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	id := fmt.Sprintf("upload-%d", s.nextID)
	s.uploads[id] = &upload{bucket, key, metadata, map[int][]byte{}}
	return id
}

func (s *store) addPart(id string, number int, body []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil {
		return false
	}
	u.parts[number] = body
	return true
}

// finish joins the parts into an object and forgets the upload; nil when it is not known.
func (s *store) finish(id string) (*upload, *object) {
	s.mu.Lock()
	u := s.uploads[id]
	delete(s.uploads, id)
	s.mu.Unlock()
	if u == nil {
		return nil, nil
	}
	numbers := make([]int, 0, len(u.parts))
	for number := range u.parts {
		numbers = append(numbers, number)
	}
	sort.Ints(numbers)
	parts := make([][]byte, 0, len(numbers))
	digests := md5.New()
	for _, number := range numbers {
		sum := md5.Sum(u.parts[number])
		digests.Write(sum[:])
		parts = append(parts, u.parts[number])
	}
	etag := fmt.Sprintf("%s-%d", hex.EncodeToString(digests.Sum(nil)), len(numbers))
	return u, &object{bytes.Join(parts, nil), etag, time.Now().UTC(), u.metadata}
}

func (s *store) abandon(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.uploads[id]
	delete(s.uploads, id)
	return known
}

func (s *store) uploadCount() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.uploads)
}
