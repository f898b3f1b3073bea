package codec

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"

	"github.com/mandate-health/mandate/internal/errs"
)

// MaxDepth is the deepest nesting of elements that is read; the library's
// cost grows with the square of the depth.
const MaxDepth = 32

// MaxBytes is the largest resource that is read, in bytes.
const MaxBytes = 2 << 20

// Issue is one fault of a resource.
type Issue struct {
	// Path is the element, such as "Consent.provision.period"; "" when the
	// bytes are no resource at all.
	Path string
	// Text says what is wrong, without values of the resource.
	Text string
}

// Error is the list of faults of one resource. It is in the chain of the
// errs.Invalid that Validate returns.
type Error struct {
	Issues []Issue
}

// Error gives the faults in one line.
func (e *Error) Error() string {
	parts := make([]string, 0, len(e.Issues))
	for _, i := range e.Issues {
		parts = append(parts, strings.TrimPrefix(i.Path+": "+i.Text, ": "))
	}
	return strings.Join(parts, "; ")
}

// Codec validates FHIR R4 JSON. It is safe for concurrent use.
type Codec struct {
	unmarshaller func() (*jsonformat.Unmarshaller, error)
}

// Elements gives the paths of the faults that have one, each once, for
// OperationOutcome.issue.expression.
func (e *Error) Elements() []string {
	var out []string
	for _, i := range e.Issues {
		if i.Path != "" && !slices.Contains(out, i.Path) {
			out = append(out, i.Path)
		}
	}
	return out
}

// New makes a codec. The library's tables are built at first use.
func New() (*Codec, error) {
	return &Codec{unmarshaller: sync.OnceValues(newUnmarshaller)}, nil
}

func newUnmarshaller() (*jsonformat.Unmarshaller, error) {
	u, err := jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "fhir-codec", "The FHIR library could not start.")
	}
	u.MaxNestingDepth = MaxDepth
	return u, nil
}

// Validate reports whether raw is one valid R4 resource. Errors: errs.Invalid
// with an *Error in its chain that names the elements; errs.TooLarge.
func (c *Codec) Validate(raw []byte) error {
	_, err := c.check(raw)
	return err
}

// ValidateType is Validate, and the resource must be of the type.
func (c *Codec) ValidateType(raw []byte, resourceType string) error {
	got, err := c.check(raw)
	if err != nil {
		return err
	}
	if got != resourceType {
		return invalid([]Issue{{Path: "resourceType", Text: "must be " + resourceType}})
	}
	return nil
}

// check gives the type of a valid resource.
func (c *Codec) check(raw []byte) (resourceType string, err error) {
	if len(raw) > MaxBytes {
		return "", errs.New(errs.TooLarge, "resource-too-large", "A resource may have 2 MiB at most.")
	}
	root, issues := check(raw)
	if len(issues) > 0 {
		return "", invalid(issues)
	}
	u, err := c.unmarshaller()
	if err != nil {
		return "", err
	}
	if _, err := u.UnmarshalR4(raw); err != nil {
		return "", invalid(issuesOf(err))
	}
	resourceType, _ = root["resourceType"].(string)
	if issues := invariants(resourceType, root); len(issues) > 0 {
		return "", invalid(issues)
	}
	return resourceType, nil
}

func invalid(issues []Issue) error {
	e := &Error{Issues: issues}
	return errs.Wrap(e, errs.Invalid, "fhir-invalid", "Not a valid FHIR R4 resource: "+e.Error()+".")
}

var located = regexp.MustCompile(`^error at "([^"]*)": (.*)$`)

// issuesOf takes the library's error list apart, one line each. Lines without
// a place may repeat values of the resource and are summed up.
func issuesOf(err error) []Issue {
	var out []Issue
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if m := located.FindStringSubmatch(line); m != nil && len(out) < maxIssues {
			if m[2] == "unknown resource type" {
				m[1] = "resourceType"
			}
			out = append(out, Issue{Path: m[1], Text: m[2]})
		}
	}
	if len(out) == 0 {
		out = append(out, Issue{Text: "a value has the wrong form"})
	}
	return out
}
