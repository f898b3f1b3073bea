package upstream

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

const (
	// freely is how many bytes of an answer are unpacked whatever they were packed
	// in, most how many times as large as packed it may be beyond them. Large
	// bundles come to ten or thirty times; what is made to be a bomb to a thousand.
	freely = 8 << 20
	most   = 200
)

// errBomb is why an answer was not unpacked any further.
var errBomb = errors.New("the FHIR server's answer unpacks to far more than it is")

// unpack makes the body of an answer plain.
func unpack(res *http.Response) {
	if !strings.EqualFold(res.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	p := &packed{body: res.Body}
	res.Body, res.ContentLength = p, -1
	res.Header.Del("Content-Encoding")
	res.Header.Del("Content-Length")
}

// packed unpacks a body while it is read.
type packed struct {
	body    io.ReadCloser
	in, out int64
	unzip   *gzip.Reader
}

// source counts what comes.
type source struct{ p *packed }

func (s source) Read(b []byte) (int, error) {
	n, err := s.p.body.Read(b)
	s.p.in += int64(n)
	return n, err
}

func (p *packed) Read(b []byte) (n int, err error) {
	if p.unzip == nil {
		if p.unzip, err = gzip.NewReader(source{p}); err != nil {
			return 0, err
		}
	}
	n, err = p.unzip.Read(b)
	if p.out += int64(n); p.out > freely && p.out > most*p.in {
		return 0, errBomb
	}
	return n, err
}

func (p *packed) Close() error { return p.body.Close() }
