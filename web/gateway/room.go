package gateway

import (
	"sync"

	"github.com/mandate-health/mandate/fhir/view"
)

// room is the memory that an exchange reads a bundle into. It is handed on when
// the exchange is over and nothing refers to it any more, and within one exchange
// it is used once. What leaves is never written in it: a connection may still
// send what an exchange that broke off has given it.
type room struct{ reading *[]byte }

// roomy is how large an answer is for which memory is kept, in bytes.
const roomy = 32 << 10

// readers are memory at rest.
var readers = sync.Pool{New: func() any {
	b := make([]byte, 0, view.Room)
	return &b
}}

// forReading gives memory for an answer of so many bytes, -1 when it did not
// say; nil where it is small or another is being read.
func (r *room) forReading(length int64) []byte {
	if length >= 0 && length < roomy || r.reading != nil {
		return nil
	}
	r.reading = readers.Get().(*[]byte)
	return (*r.reading)[:0]
}

// leave hands the memory on. Nothing that was read into it is used afterwards.
func (r *room) leave() {
	if r.reading != nil {
		readers.Put(r.reading)
		r.reading = nil
	}
}
