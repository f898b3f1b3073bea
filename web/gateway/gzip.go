package gateway

import (
	"cmp"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// minSqueezed is the smallest answer that is compressed, in bytes: below, the
// frame costs more than it saves.
const minSqueezed = 1 << 10

// squeezed compresses records on their way to a client that takes gzip (RFC 9110
// §12.5.3). What is compressed was filtered before, so that its size tells of
// what leaves and of nothing else. Uploaded content keeps its bytes.
type squeezed struct {
	http.ResponseWriter
	wanted bool
	zip    *gzip.Writer
	// status waits for the first bytes; sent says that the headers went.
	status int
	sent   bool
}

// squeezers are writers at rest: each has large tables.
var squeezers = sync.Pool{New: func() any {
	// The level is one that exists.
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return z
}}

func compressed(w http.ResponseWriter, r *http.Request) *squeezed {
	return &squeezed{ResponseWriter: w, wanted: takesGzip(r.Header.Values("Accept-Encoding"))}
}

// takesGzip reads Accept-Encoding.
func takesGzip(values []string) bool {
	for item := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, has := strings.CutPrefix(strings.TrimSpace(params), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !has || err == nil && weight > 0
	}
	return false
}

// Unwrap gives the writer beneath, for deadlines.
func (s *squeezed) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// WriteHeader waits for the first bytes: they tell whether to compress.
func (s *squeezed) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
}

// Write sends, or compresses.
func (s *squeezed) Write(p []byte) (int, error) {
	s.head(len(p))
	if s.zip != nil {
		return s.zip.Write(p)
	}
	return s.ResponseWriter.Write(p) //nolint:gosec // FHIR JSON, told as such and never as a page
}

// head sends the headers, once. Records vary by what the client takes, whatever
// their size.
func (s *squeezed) head(first int) {
	if s.sent {
		return
	}
	s.sent = true
	h := s.Header()
	kind := h.Get("Content-Type")
	if strings.HasPrefix(kind, mediaFHIR) || strings.HasPrefix(kind, mediaNDJSON) {
		h.Add("Vary", "Accept-Encoding")
		if s.wanted && first >= minSqueezed {
			h.Set("Content-Encoding", "gzip")
			s.zip = squeezers.Get().(*gzip.Writer)
			s.zip.Reset(s.ResponseWriter)
		}
	}
	s.ResponseWriter.WriteHeader(cmp.Or(s.status, http.StatusOK))
}

// flush lets what was written leave.
func (s *squeezed) flush() error {
	if s.zip == nil {
		return nil
	}
	return s.zip.Flush()
}

// broken leaves the end away: what was written is not whole.
func (s *squeezed) broken() {
	s.head(0)
	s.zip = nil
}

// close ends the answer.
func (s *squeezed) close() {
	s.head(0)
	if s.zip == nil {
		return
	}
	// The client may be gone; there is nobody to tell.
	_ = s.zip.Close()
	s.zip.Reset(io.Discard)
	squeezers.Put(s.zip)
	s.zip = nil
}
