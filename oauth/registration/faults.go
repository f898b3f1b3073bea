package registration

import (
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// Fault is one thing that is wrong with a registration.
type Fault struct {
	// Member is the metadata member at fault, such as redirect_uris[1].
	Member string `json:"member"`
	// Why completes the sentence that begins with the member. It repeats
	// nothing of what was sent.
	Why string `json:"why"`
}

// String gives the sentence.
func (f Fault) String() string { return f.Member + " " + f.Why }

// Faults are all faults of one registration.
type Faults []Fault

func (f *Faults) add(member, why string) { *f = append(*f, Fault{member, why}) }

// maxTold is how many faults one error description names.
const maxTold = 12

// Err gives the faults as one error, nil for none. Errors:
// errs.InvalidRedirectURI with code redirect-uris-refused when a redirect URI
// is at fault, errs.InvalidClientMetadata with code client-metadata-refused
// otherwise (RFC 7591 §3.2.2); the cause is the Faults.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	var told []string
	redirect := false
	for i, one := range f {
		redirect = redirect || strings.HasPrefix(one.Member, "redirect_uris")
		if i < maxTold {
			told = append(told, one.String())
		}
	}
	text := strings.Join(told, "; ") + "."
	if redirect {
		return errs.Wrap(f, errs.InvalidRedirectURI, "redirect-uris-refused", text)
	}
	return errs.Wrap(f, errs.InvalidClientMetadata, "client-metadata-refused", text)
}

// Error gives all faults, one after the other.
func (f Faults) Error() string {
	var told []string
	for _, one := range f {
		told = append(told, one.String())
	}
	return strings.Join(told, "; ")
}
