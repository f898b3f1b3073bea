package catalogue

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// Level says how binding a row is, and for whom.
type Level string

// The levels. Shall and Regulation bind every server.
const (
	Shall      Level = "SHALL"
	Regulation Level = "REG"     // a regulation or its certification test needs it
	Should     Level = "SHOULD"  // recommended
	May        Level = "MAY"     // allowed
	Derived    Level = "DERIVED" // said nowhere, but follows from a text or a known defect
	Experiment Level = "EXP"     // marked experimental by the specification
	Draft      Level = "DRAFT"   // of a text that still moves
	Fact       Level = "FACT"    // background, nothing that a server could get wrong by itself
)

// levels in the order of their force.
var levels = []Level{Shall, Regulation, Should, May, Derived, Experiment, Draft, Fact}

// Row is one requirement.
type Row struct {
	ID      string `json:"id"`
	Section string `json:"section"`
	Level   Level  `json:"level"`
	Title   string `json:"title"`
}

// Binding reports whether a server that leaves the row open is not finished: a
// SHALL or REG row of the sections 1 to 5.
func (r Row) Binding() bool {
	chapter, _, _ := strings.Cut(r.Section, ".")
	return (r.Level == Shall || r.Level == Regulation) && chapter <= "5"
}

var (
	//go:embed rows.tsv
	rowData string
	//go:embed deliberate.tsv
	deliberateData string
)

// Rows gives every row in the order of the requirement list. Errors: the
// embedded list is malformed.
func Rows() ([]Row, error) {
	var out []Row
	seen := map[string]bool{}
	for n, cells := range records(rowData) {
		if len(cells) != 4 || seen[cells[0]] || !slices.Contains(levels, Level(cells[2])) || cells[3] == "" {
			return nil, fmt.Errorf("rows.tsv, record %d, is not a row of its own: %q", n+1, cells)
		}
		seen[cells[0]] = true
		out = append(out, Row{ID: cells[0], Section: cells[1], Level: Level(cells[2]), Title: cells[3]})
	}
	return out, nil
}

// Divergences is the document that explains what is deliberately not done.
const Divergences = "docs/divergences.md"

// Deliberate gives, by row id, the line of Divergences that says why the row is
// deliberately not done: the text of its first column. Errors: the embedded
// list is malformed.
func Deliberate() (map[string]string, error) {
	out := map[string]string{}
	for n, cells := range records(deliberateData) {
		if len(cells) != 2 || cells[1] == "" || out[cells[0]] != "" {
			return nil, fmt.Errorf("deliberate.tsv, record %d, is malformed: %q", n+1, cells)
		}
		out[cells[0]] = cells[1]
	}
	return out, nil
}

// records splits tab-separated lines; lines that begin with # are comments.
func records(data string) [][]string {
	var out [][]string
	for line := range strings.Lines(data) {
		line = strings.TrimRight(line, "\r\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, strings.Split(line, "\t"))
		}
	}
	return out
}

// sections are the titles by number.
var sections = map[string]string{
	"1.1": "Discovery document", "1.2": "Capability strings", "1.3": "Client registration", "1.4": "Launch and authorization request",
	"1.5": "Token endpoint and answer", "1.6": "Launch context", "1.7": "Scopes", "1.8": "OpenID Connect", "1.9": "Refresh",
	"1.10": "Client authentication with a secret", "1.11": "Client authentication with a key, backend services",
	"1.12": "Introspection, revocation, brands", "1.13": "App state", "1.14": "CORS, TLS, CapabilityStatement", "1.15": "Good practice",
	"1.16": "Versions", "2": "United States regulation", "3": "UDAP", "4": "Bulk data", "5.1": "Permission tickets", "5.2": "Proxies and Consent",
	"6.1": "Scope and interaction", "6.2": "Leaks at enforcement", "7": "Patient compartment",
}

// SectionTitle gives a section's number with its title.
func SectionTitle(number string) string { return "§" + number + " " + sections[number] }
