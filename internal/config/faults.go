package config

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// Fault is one thing that is wrong with a setting.
type Fault struct {
	// Key is the setting, below the section of the struct that found it.
	Key string
	// Text says what is wrong and what would be right. It must not quote a
	// secret.
	Text string
	// Where tells from where the value came; Load fills it in.
	Where string
}

// Error gives "key (where): text".
func (f *Fault) Error() string {
	if f.Where == "" {
		return f.Key + ": " + f.Text
	}
	return f.Key + " (" + f.Where + "): " + f.Text
}

// Faults collects what a Validate method finds.
type Faults struct{ list []error }

// Add notes a fault of a setting.
func (f *Faults) Add(key, format string, args ...any) {
	f.list = append(f.list, &Fault{Key: key, Text: fmt.Sprintf(format, args...)})
}

// Err gives all faults, nil when there are none.
func (f *Faults) Err() error { return errors.Join(f.list...) }

// Validator is a struct of settings that judges its own values.
type Validator interface {
	// Validate gives every Fault at once.
	Validate() error
}

// each calls fn with every Fault of a joined error, and with what else it
// holds as a Fault without a key.
func each(err error, fn func(*Fault)) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			each(e, fn)
		}
		return
	}
	var f *Fault
	if !errors.As(err, &f) {
		f = &Fault{Text: err.Error()}
	}
	fn(f)
}

// nearest gives the known key that looks most like an unknown one, "" when
// none is near.
func nearest(unknown string, known []string) string {
	best, bestAt := "", len(unknown)/2+1
	for _, k := range known {
		if d := distance(unknown, k); d < bestAt {
			best, bestAt = k, d
		}
	}
	return best
}

// distance counts the edits between two keys (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

func suggestion(unknown string, known []string) string {
	if k := nearest(strings.ToLower(unknown), known); k != "" {
		return ". Did you mean " + k + "?"
	}
	return ""
}

// HostPort reports whether a text is an address to listen on.
func HostPort(text string) bool {
	_, _, err := net.SplitHostPort(text)
	return err == nil
}
