package label

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
)

//go:embed palliative.json
var palliative []byte

// Palliative is the file of value sets that comes with Mandate.
func Palliative() File { return File{Name: "palliative (shipped)", Text: palliative} }

// File is one file of value sets.
type File struct {
	// Name is told with what is wrong.
	Name string
	Text []byte
}

// document is the form of a file.
type document struct {
	Version string `json:"version"`
	// Review says who checked the codes, and how.
	Review string `json:"review"`
	Sets   []set  `json:"sets"`
}

type set struct {
	Name string `json:"name"`
	// Off leaves a set of an earlier file out.
	Off    bool          `json:"off"`
	Types  []string      `json:"types"`
	Codes  []system      `json:"codes"`
	Labels []fhir.Coding `json:"labels"`
	Whole  bool          `json:"whole"`
}

// system lists codes of one code system.
type system struct {
	System string   `json:"system"`
	Codes  []string `json:"codes"`
	// Source says in which public text the codes were found.
	Source string `json:"source"`
}

// Bounds of a file and of what all files hold together.
const (
	maxFile  = 4 << 20
	maxCodes = 200000
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// Load reads files in order: a set replaces one of the same name in an earlier
// file, and with "off" takes it away. The version names the files' own versions
// with a digest of their text. Errors: every fault of every file at once; none
// names a code.
func Load(files ...File) (*access.Labelling, error) {
	var faults []error
	var sets []access.LabelSet
	version, digest, reviews := "", sha256.New(), []string{}
	for _, f := range files {
		digest.Write(f.Text)
		doc, err := read(f)
		faults = append(faults, err)
		if doc.Version != "" {
			version += doc.Version + "+"
		}
		reviews = append(reviews, f.Name+": "+cmp.Or(doc.Review, "does not say who reviewed it"))
		for i := range doc.Sets {
			s := &doc.Sets[i]
			at := slices.IndexFunc(sets, func(have access.LabelSet) bool { return have.Name == s.Name })
			faults = append(faults, s.judge(f.Name, i, at >= 0))
			switch {
			case at >= 0 && s.Off:
				sets = slices.Delete(sets, at, at+1)
			case at >= 0:
				sets[at] = s.compiled()
			case !s.Off:
				sets = append(sets, s.compiled())
			}
		}
	}
	codes := 0
	for _, s := range sets {
		codes += len(s.Codes)
	}
	if codes > maxCodes {
		faults = append(faults, fmt.Errorf("%d codes in all, at most %d are taken", codes, maxCodes))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	out := access.NewLabelling(version+hex.EncodeToString(digest.Sum(nil)[:6]), sets)
	out.Review = strings.Join(reviews, "; ")
	return out, nil
}

// read takes a file apart; unknown members are faults.
func read(f File) (doc document, err error) {
	if len(f.Text) > maxFile {
		return doc, fmt.Errorf("%s: larger than %d bytes", f.Name, maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(f.Text))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return document{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return document{}, fmt.Errorf("%s: there is text after the end", f.Name)
	}
	var faults []error
	if doc.Version == "" {
		faults = append(faults, fmt.Errorf("%s: version is missing", f.Name))
	}
	for i, s := range doc.Sets {
		if slices.ContainsFunc(doc.Sets[:i], func(o set) bool { return o.Name == s.Name }) {
			faults = append(faults, fmt.Errorf("%s: sets[%d]: the name %q stands twice in the file", f.Name, i, s.Name))
		}
	}
	return doc, errors.Join(faults...)
}

// judge tells everything that is wrong with one set.
func (s *set) judge(file string, at int, known bool) error {
	var faults []error
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: sets[%d] %s: %s", file, at, s.Name, fmt.Sprintf(format, args...)))
	}
	if !nameForm.MatchString(s.Name) {
		wrong("name must be small letters, digits and hyphens, at most 64")
	}
	if s.Off {
		if !known {
			wrong("there is no such set to leave out")
		}
		if len(s.Types)+len(s.Codes)+len(s.Labels) > 0 || s.Whole {
			wrong("a set that is off has nothing else")
		}
		return errors.Join(faults...)
	}
	for _, typ := range s.Types {
		if !fhir.ValidType(typ) {
			wrong("%q is no resource type", typ)
		}
	}
	if len(s.Codes) == 0 {
		wrong("codes is empty")
	}
	for i, c := range s.Codes {
		if c.System == "" || len(c.Codes) == 0 || slices.Contains(c.Codes, "") {
			wrong("codes[%d] needs a system and codes", i)
		}
	}
	if len(s.Labels) == 0 {
		wrong("labels is empty")
	}
	for i, l := range s.Labels {
		if !labelKnown(l) {
			wrong("labels[%d] is no code of v3-Confidentiality (U, L, M, N, R, V) or of v3-ActCode", i)
		}
	}
	return errors.Join(faults...)
}

var actCode = regexp.MustCompile(`^[A-Za-z0-9]{2,32}$`)

func labelKnown(l fhir.Coding) bool {
	switch l.System {
	case fhir.SystemConfidentiality:
		return slices.Contains([]string{"U", "L", "M", "N", "R", "V"}, l.Code)
	case fhir.SystemActCode:
		return actCode.MatchString(l.Code)
	}
	return false
}

func (s *set) compiled() access.LabelSet {
	out := access.LabelSet{Name: s.Name, Types: s.Types, Labels: s.Labels, Whole: s.Whole}
	for _, c := range s.Codes {
		for _, code := range c.Codes {
			out.Codes = append(out.Codes, fhir.Coding{System: c.System, Code: code})
		}
	}
	return out
}
