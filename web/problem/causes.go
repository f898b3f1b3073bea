package problem

import (
	"cmp"
	_ "embed"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// causes lists cause codes with their kinds, one a line: code, tab, kind. Of a
// code that comes with several kinds, it has the one whose words explain it to
// those who follow an error_uri.
//
//go:embed causes.tsv
var causes string

// KindOf gives the kind under which a cause code is explained, "" for a code
// that is not listed.
func KindOf(code string) errs.Kind {
	for line := range strings.Lines(causes) {
		if c, kind, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); c == code {
			return errs.Kind(kind)
		}
	}
	return ""
}

// Codes gives every cause code, sorted.
func Codes() []string {
	var out []string
	for line := range strings.Lines(causes) {
		code, _, _ := strings.Cut(line, "\t")
		out = append(out, code)
	}
	return out
}

// OAuthOf gives the value of error and the HTTP status with which a kind is told
// where OAuth clients call.
func OAuthOf(kind errs.Kind) (name string, status int) {
	row := table()[kind]
	return row.oauth, cmp.Or(row.oauthStatus, row.status)
}
