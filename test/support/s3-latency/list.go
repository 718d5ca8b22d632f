package main

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

type listedKey struct {
	Key, LastModified, ETag string
	Size                    int
	StorageClass            string
}

type listedPrefix struct{ Prefix string }

type listing struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	MaxKeys, KeyCount     int
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listedKey
	CommonPrefixes        []listedPrefix
}

// list answers ListObjectsV2. A token is the last key or common prefix that was shown.
func (s *server) list(w http.ResponseWriter, bucket string, query url.Values) {
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	most := 1000
	if n, err := strconv.Atoi(query.Get("max-keys")); err == nil && n < most {
		most = n
	}
	after := query.Get("start-after")
	if token, err := base64.URLEncoding.DecodeString(query.Get("continuation-token")); err == nil && len(token) > 0 {
		after = string(token)
	}
	show := func(text string) string { return text }
	if query.Get("encoding-type") == "url" {
		show = func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "%2F", "/") }
	}
	result := listing{Name: bucket, Prefix: show(prefix), Delimiter: show(delimiter), MaxKeys: most, EncodingType: query.Get("encoding-type")}
	keys := s.store.keys(bucket)
	at := sort.SearchStrings(keys, max(prefix, after))
	last := ""
	for ; at < len(keys) && strings.HasPrefix(keys[at], prefix); at++ {
		key := keys[at]
		shown := key
		if delimiter != "" {
			if i := strings.Index(key[len(prefix):], delimiter); i >= 0 {
				shown = key[:len(prefix)+i+len(delimiter)]
			}
		}
		common := shown != key || (delimiter != "" && strings.HasSuffix(key, delimiter) && key != prefix)
		if shown == last || key <= after || (common && shown == after) {
			continue
		}
		if result.KeyCount == most {
			result.IsTruncated = true
			result.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
			break
		}
		result.KeyCount++
		last = shown
		if common {
			result.CommonPrefixes = append(result.CommonPrefixes, listedPrefix{show(shown)})
			continue
		}
		o := s.store.get(bucket, key)
		if o == nil {
			continue
		}
		result.Contents = append(result.Contents, listedKey{
			show(key), o.modified.Format("2006-01-02T15:04:05.000Z"), quote(o.etag), len(o.body), "STANDARD",
		})
	}
	writeXML(w, result)
}

func quote(etag string) string { return `"` + etag + `"` }

func writeXML(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write([]byte(xml.Header))
	_ = xml.NewEncoder(w).Encode(value)
}
