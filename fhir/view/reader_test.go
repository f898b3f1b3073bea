package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// readAll takes a stream apart to the end.
func readAll(from io.Reader, length int64) (view.Bundle, error) {
	r := view.NewReader(from, length, nil)
	var all []view.Entry
	for {
		part, err := r.Next()
		if errors.Is(err, io.EOF) {
			b := r.Rest()
			b.Entries = all
			return b, nil
		}
		if err != nil {
			return view.Bundle{}, err
		}
		for _, e := range part {
			if fault := differs(e); fault != nil {
				return view.Bundle{}, fault
			}
			e.Resource, e.Hot = bytes.Clone(e.Resource), nil
			e.Search, e.Request, e.Response = bytes.Clone(e.Search), bytes.Clone(e.Request), bytes.Clone(e.Response)
			all = append(all, e)
		}
	}
}

// differs tells where what was read of a resource on the way is not what Scan reads
// of it by itself.
func differs(e view.Entry) error {
	if e.Resource == nil {
		return nil
	}
	want, err := view.Scan(e.Resource)
	if (err == nil) != (e.Hot != nil) || err == nil && !reflect.DeepEqual(*e.Hot, want) {
		return fmt.Errorf("%s was read as %+v, by itself %+v, %w", e.Resource, e.Hot, want, err)
	}
	return nil
}

var bundles = []string{
	`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"a","id":"b"}},{"resource":{"resourceType":"Patient","id":"c"}}]}`,
	`{"resourceType":"Bundle","entry":[{"resource":{"id":"/","resourceType":"Patient"}},{"resource":{"resourceType":"Observation","id":"o","meta":1}},{"resource":"no"},{"resource":null}]}`,
	`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","id":"o","meta":{"security":[{"system":"s","code":"R"}]},"status":"final","subject":{"reference":"Patient/a"},` +
		`"code":{"coding":[{"system":"s","code":"c"}]},"effectiveDateTime":"2026-01-01","contained":[{"resourceType":"Patient","id":"z"}]}},{"resource":{"resourceType":"Observation","id":"p","subject":{"reference":"Patient/a"}}}]}`,
	`{"resourceType":"Bundle"}`,
	` { "resourceType" : "Bundle" , "entry" : [ ] , "total" : 0 } ` + "\n",
	`{"entry":[{"fullUrl":"x","resource":{"resourceType":"Patient","id":"a"},"search":{"mode":"match"}},{"resource":{"a":[1,2,{"b":"\"}]"}]}}],"resourceType":"Bundle","total":12,"link":[{"relation":"next","url":"http://x/?a=\u0026b"}],"meta":{"tag":[]},"id":"b","type":"searchset","timestamp":"2026-01-01"}`,
	`{"resourceType":"Bundle","entry":[{"resource":{"t":true,"f":false,"n":null,"x":-1.5e+10}}]}`,
	`{"resourceType":"Bundle","link":[],"signature":{"x":[[]]},"entry":[{}]}`,
	`{"resourceType":"Patient"}`, `{}`, `null`, `[]`, ``, ` `, `{"resourceType":"Bundle"}{}`, `{"resourceType":"Bundle"},`, `{"resourceType":"Bundle",}`,
	`{"resourceType":"Bundle","entry":[{"resource":{"a":1}}`, `{"resourceType":"Bundle","entry":[{},]}`, `{"resourceType":"Bundle","entry":[{}}`, `{"resourceType":"Bundle","entry":[{} {}]}`,
	`{"resourceType":"Bundle","entry":{}}`, `{"resourceType":"Bundle","entry":[1]}`, `{"resourceType":"Bundle","total":-1}`, `{"resourceType":"Bundle","total":"1"}`,
	`{"resourceType":"Bundle","total":1,"total":1}`, `{"resourceType":"Bundle","entry":[],"entry":[{"resource":{}}]}`, `{"resourceType":"Bundle","entry":[{"resource":{},"resource":{}}]}`,
	`{"resourceType":"Bundle","entry":[{"search":"match"}]}`, `{"resourceType":"Bundle","x":tru}`, `{"resourceType":"Bundle","x":nulL}`, "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"a\":\"\xff\"}}]}",
	`{"resourceType":"Bundle","entry":[{"resource":{"a":"\u12"}}]}`, `{"resourceType":"Bundle","entry":[{"resource":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}]}`,
}

// A bundle that arrives in pieces of any size is what it is as a whole, and so
// is what is wrong with it.
func TestAStreamIsReadLikeTheWhole(t *testing.T) {
	for _, text := range bundles {
		want, wantErr := view.Entries([]byte(text))
		for name, from := range map[string]io.Reader{
			"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text)), "halves": iotest.HalfReader(strings.NewReader(text)),
			"with the end": iotest.DataErrReader(strings.NewReader(text)),
		} {
			for _, length := range []int64{-1, int64(len(text))} {
				got, err := readAll(from, length)
				if (err == nil) != (wantErr == nil) || err != nil && !errs.Is(err, errs.Invalid) {
					t.Errorf("%s, %s: %v, as a whole %v", text, name, err, wantErr)
				}
				if err == nil && !reflect.DeepEqual(got, want) {
					t.Errorf("%s, %s:\n%+v\n%+v", text, name, got, want)
				}
				from = strings.NewReader(text)
			}
		}
	}
}

// endless gives entries as long as somebody reads, and says how much that was.
type endless struct {
	entry string
	left  int
	tail  *strings.Reader
}

func (e *endless) Read(p []byte) (int, error) {
	if e.tail == nil {
		e.tail = strings.NewReader(`{"resourceType":"Bundle","entry":[{}`)
	}
	n, _ := e.tail.Read(p)
	if n > 0 {
		return n, nil
	}
	if e.left == 0 {
		return 0, io.EOF
	}
	if e.left--; e.left == 0 {
		e.tail = strings.NewReader(`]}`)
	} else {
		e.tail = strings.NewReader("," + e.entry)
	}
	return e.Read(p)
}

// The memory that a bundle takes does not grow with it.
func TestAStreamDoesNotSitInMemory(t *testing.T) {
	entry := `{"resource":{"resourceType":"Observation","note":"` + strings.Repeat("x", 2000) + `"}}`
	r := view.NewReader(&endless{entry: entry, left: 20_000}, -1, make([]byte, 0, view.Room))
	entries, largest := 0, 0
	for {
		part, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, e := range part {
			size += len(e.Resource)
		}
		entries, largest = entries+len(part), max(largest, size)
	}
	if entries != 20_000 || largest > 512<<10 {
		t.Errorf("%d entries, %d bytes at once", entries, largest)
	}
}

// A string of any length and with anything at any place is read as json.Valid
// says.
func TestStringsOfEveryShape(t *testing.T) {
	for n := range 40 {
		for at := range n {
			for _, b := range []byte{'"', '\\', 0, 31, 32, 127, 0x80, 0xa0, 0xc3, '!', '#', '[', ']'} {
				text := []byte(strings.Repeat("x", n))
				text[at] = b
				raw := []byte(`{"resourceType":"Patient","x":"` + string(text) + `"}`)
				want := json.Valid(raw) && utf8.Valid(raw)
				if _, err := view.Scan(raw); (err == nil) != want {
					t.Fatalf("%q: %v", raw, err)
				}
			}
		}
	}
}

// A large entry between small ones is whole, and so are those beside it.
func TestALargeEntry(t *testing.T) {
	var text strings.Builder
	text.WriteString(`{"resourceType":"Bundle","entry":[`)
	for i := range 200 {
		size := 100 + i
		if i%50 == 7 {
			size = 1 << 20
		}
		fmt.Fprintf(&text, `{"resource":{"id":"%d","text":"%s"}},`, i, strings.Repeat("y", size))
	}
	text.WriteString(`{}],"total":3}`)
	want, err := view.Entries([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(iotest.HalfReader(strings.NewReader(text.String())), -1)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Error("the stream differs", err, len(got.Entries))
	}
}

// What breaks off is told as it is, and never passes for the end.
func TestAStreamThatBreaksOff(t *testing.T) {
	for _, cut := range []error{errors.New("cut"), io.ErrUnexpectedEOF, fmt.Errorf("cut: %w", io.EOF)} {
		r := view.NewReader(io.MultiReader(strings.NewReader(`{"resourceType":"Bundle","entry":[{}`), iotest.ErrReader(cut)), -1, nil)
		_, err := r.Next()
		if !errors.Is(err, cut) || err == io.EOF { //nolint:errorlint // a fault that wraps io.EOF is no end
			t.Error(cut, err)
		}
	}
}
