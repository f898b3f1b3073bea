package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mandate-health/mandate/internal/errs"
)

// maxLine bounds one row.
const maxLine = 64 << 20

// Visitor takes what a backup holds, in its order.
type Visitor interface {
	Begin(Manifest) error
	Table(Table) error
	// Row takes one row of the table begun last; values is used again.
	Row(values []any) error
	// End closes a table whose rows and sum were right.
	End(rows int64) error
}

// ReadHeader gives what a backup says about itself. Nothing was checked.
// Errors: errs.Invalid.
func ReadHeader(in io.Reader) (Header, error) {
	f, err := openFrames(in)
	if err != nil {
		return Header{}, err
	}
	return f.header, nil
}

// CheckSignature reads a whole backup and checks that it is as it was written,
// without opening it. Errors: errs.Invalid (backup-damaged, backup-forged,
// backup-not-one), errs.Unavailable.
func CheckSignature(in io.Reader, key ed25519.PublicKey) (Header, error) {
	f, err := openFrames(in)
	if err != nil {
		return Header{}, err
	}
	for {
		_, end, err := f.next()
		if err != nil {
			return f.header, err
		}
		if end {
			return f.header, f.signed(key)
		}
	}
}

// Read opens a backup and gives its parts to v. What v got may be believed only
// when Read gave no error: the signature is at the end. Errors: those of v;
// errs.Invalid naming the byte, table and row where the backup is damaged.
func Read(in io.Reader, key ReaderKey, v Visitor) (Header, Total, error) {
	f, err := openFrames(in)
	if err != nil {
		return Header{}, Total{}, err
	}
	o, err := newOpener(f, key)
	if err != nil {
		return f.header, Total{}, err
	}
	r := &reader{visitor: v}
	if err := r.read(o); err != nil {
		return f.header, Total{}, r.where(err)
	}
	return f.header, r.total, f.signed(key.Verifier())
}

// reader follows the lines.
type reader struct {
	visitor Visitor
	table   Table
	open    bool
	rows    int64
	sum     hash.Hash
	total   Total
	done    bool
	values  []any
	// visiting is true while the visitor works: its errors are its own.
	visiting bool
}

// where adds table and row to an error about the backup itself.
func (r *reader) where(err error) error {
	var known *errs.Error
	if r.visiting || !errors.As(err, &known) || r.table.Name == "" {
		if !errors.As(err, &known) {
			return errs.Wrap(err, errs.Invalid, "backup-damaged", "The backup is damaged: its text cannot be read"+r.place()+".")
		}
		return err
	}
	return errs.Wrap(err, known.Kind, known.Code, known.Msg+" All was well"+r.place()+".")
}

func (r *reader) place() string {
	if r.table.Name == "" {
		return ""
	}
	return fmt.Sprintf(" up to row %d of table %s", r.rows, r.table.Name)
}

func (r *reader) read(in io.Reader) error {
	zip, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(zip)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for n := 0; lines.Scan(); n++ {
		if err := r.line(lines.Bytes(), n); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !r.done {
		return errDamaged("it ends before its last line")
	}
	// The last chunk may hold nothing more.
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return errDamaged("it goes on behind its end")
	}
	return nil
}

func errDamaged(how string) error {
	return errs.New(errs.Invalid, "backup-damaged", "The backup is damaged: "+how+".")
}

func (r *reader) line(text []byte, n int) error {
	if r.done {
		return errDamaged("it goes on behind its end")
	}
	if n == 0 {
		var m Manifest
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		return r.visit(func() error { return r.visitor.Begin(m) })
	}
	if bytes.HasPrefix(text, []byte("[")) {
		return r.row(text)
	}
	switch {
	case bytes.HasPrefix(text, []byte(`{"table":`)):
		return r.begin(text)
	case bytes.HasPrefix(text, []byte(`{"end":`)):
		return r.end(text)
	}
	var t Total
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	if r.open || t != r.total {
		return errDamaged("its totals do not match what it holds")
	}
	r.done = true
	return nil
}

func (r *reader) visit(fn func() error) error {
	r.visiting = true
	err := fn()
	if err == nil {
		r.visiting = false
	}
	return err
}

func (r *reader) begin(text []byte) error {
	var t Table
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	if r.open {
		return errDamaged("a table has no end")
	}
	r.table, r.open, r.rows, r.sum = t, true, 0, sha256.New()
	r.sum.Write(text)
	r.sum.Write([]byte("\n"))
	r.values = make([]any, len(t.Columns))
	r.total.Tables++
	return r.visit(func() error { return r.visitor.Table(t) })
}

func (r *reader) row(text []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	if !r.open || len(raw) != len(r.values) {
		return errDamaged("a row does not fit its table")
	}
	for i, c := range r.table.Columns {
		v, err := value(raw[i], c.Kind)
		if err != nil {
			return errs.Wrap(err, errs.Invalid, "backup-damaged", "The backup is damaged: a value of column "+c.Name+" cannot be read.")
		}
		r.values[i] = v
	}
	r.sum.Write(text)
	r.sum.Write([]byte("\n"))
	r.rows++
	r.total.Rows++
	return r.visit(func() error { return r.visitor.Row(r.values) })
}

func (r *reader) end(text []byte) error {
	var e tableEnd
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	if !r.open || e.Table != r.table.Name || e.Rows != r.rows || e.Sum != hex.EncodeToString(r.sum.Sum(nil)) {
		return errDamaged("the rows of a table do not match its sum")
	}
	r.open = false
	return r.visit(func() error { return r.visitor.End(r.rows) })
}

// value reads one value of a kind.
func value(raw json.RawMessage, k Kind) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	switch k {
	case Text:
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case Integer:
		var n int64
		err := json.Unmarshal(raw, &n)
		return n, err
	case Boolean:
		var b bool
		err := json.Unmarshal(raw, &b)
		return b, err
	case Bytes:
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(s)
	}
	return nil, fmt.Errorf("unknown kind %q", k)
}
