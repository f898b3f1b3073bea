package backup

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"unicode/utf8"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
)

// Kind is the type of a column, the same on every engine.
type Kind string

// The kinds.
const (
	Text    Kind = "text"
	Integer Kind = "bigint"
	Boolean Kind = "boolean"
	Bytes   Kind = "bytea"
)

// Column is one column of a table.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// Table is a table and its columns, in the order of each row's values.
type Table struct {
	Name    string   `json:"table"`
	Columns []Column `json:"columns"`
}

// Manifest says what follows.
type Manifest struct {
	// Schema are the versions of the migrations that were applied.
	Schema []int64 `json:"schema"`
	// Journal are the segments of the revocation journal that the store knew.
	Journal []journal.Head `json:"journal,omitempty"`
}

// Total is what is known at the end.
type Total struct {
	Tables int   `json:"tables"`
	Rows   int64 `json:"rows"`
}

// tableEnd closes a table.
type tableEnd struct {
	Table string `json:"end"`
	Rows  int64  `json:"rows"`
	Sum   string `json:"sum"`
}

// Writer writes one backup: Begin, then for each table Table and its Rows,
// then Close. Its errors are errs.Unavailable when the place takes no more.
type Writer struct {
	sealer *sealer
	zip    *gzip.Writer
	line   bytes.Buffer
	table  Table
	open   bool
	rows   int64
	sum    hash.Hash
	total  Total
}

// NewWriter begins a backup for the holder of the other half of the key.
func NewWriter(out io.Writer, key WriterKey, h Header) (*Writer, error) {
	s, err := newSealer(out, key, h)
	if err != nil {
		return nil, err
	}
	return &Writer{sealer: s, zip: fastest(s)}, nil
}

// fastest compresses at the level that costs the running server least; rows are
// alike enough for it.
func fastest(out io.Writer) *gzip.Writer {
	zip, _ := gzip.NewWriterLevel(out, gzip.BestSpeed) // fails for unknown levels only
	return zip
}

// Begin writes what the backup holds.
func (w *Writer) Begin(m Manifest) error { return w.put(m) }

// Table begins a table.
func (w *Writer) Table(t Table) error {
	if err := w.end(); err != nil {
		return err
	}
	w.table, w.open, w.rows, w.sum = t, true, 0, sha256.New()
	w.total.Tables++
	return w.put(t)
}

// Row adds a row of the table begun last: string, int64, bool, []byte or nil
// as its columns say. Errors: errs.Internal for a value of another type.
func (w *Writer) Row(values []any) error {
	for i, v := range values {
		if !fits(v, w.table.Columns[i].Kind) {
			return errs.New(errs.Internal, "backup-value", fmt.Sprintf(
				"Column %s of table %s holds a %T, which a backup has no form for.", w.table.Columns[i].Name, w.table.Name, v))
		}
	}
	w.rows++
	w.total.Rows++
	return w.put(values)
}

func fits(v any, k Kind) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return k == Text && utf8.ValidString(v)
	case int64:
		return k == Integer
	case bool:
		return k == Boolean
	case []byte:
		return k == Bytes
	}
	return false
}

// put writes one line and, in a table, adds it to the sum.
func (w *Writer) put(v any) error {
	w.line.Reset()
	e := json.NewEncoder(&w.line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return errs.Wrap(err, errs.Internal, "backup-value", "A row has no form in a backup.")
	}
	if w.open {
		w.sum.Write(w.line.Bytes())
	}
	_, err := w.zip.Write(w.line.Bytes())
	return err
}

func (w *Writer) end() error {
	if !w.open {
		return nil
	}
	w.open = false
	return w.put(tableEnd{Table: w.table.Name, Rows: w.rows, Sum: hex.EncodeToString(w.sum.Sum(nil))})
}

// Close ends the last table and the backup.
func (w *Writer) Close() (Total, error) {
	if err := w.end(); err != nil {
		return Total{}, err
	}
	if err := w.put(w.total); err != nil {
		return Total{}, err
	}
	if err := w.zip.Close(); err != nil {
		return Total{}, err
	}
	return w.total, w.sealer.Close()
}
