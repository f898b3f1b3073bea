package bucket

import (
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/mandate-health/mandate/internal/awsconf"
	"github.com/mandate-health/mandate/internal/errs"
)

// scheme begins a place in an object store.
const scheme = "s3://"

// Is reports whether a place that an operator gave is in an object store.
func Is(place string) bool { return strings.HasPrefix(place, scheme) }

// Place is where objects lie, as s3://BUCKET/PREFIX?region=NAME&endpoint=URL
// says; further parameters are profile, path_style=true|false and
// lock=compliance|governance.
type Place struct {
	AWS    awsconf.Config
	Bucket string
	// Prefix is empty or ends with a slash.
	Prefix string
	// PathStyle names the bucket in the path and not in the host.
	PathStyle bool
	// Lock is how the store keeps an object from everybody when asked to.
	Lock types.ObjectLockMode
}

// Parse reads a place without asking anybody. Errors: errs.Invalid (s3-place,
// aws-place).
func Parse(text string) (Place, error) {
	u, err := url.Parse(text)
	if err != nil || !Is(text) || u.User != nil || u.Fragment != "" || u.Port() != "" {
		return Place{}, errPlace("it cannot be read")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Place{}, errPlace("its parameters cannot be read")
	}
	p := Place{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Lock: types.ObjectLockModeCompliance}
	if p.Bucket == "" {
		return Place{}, errPlace("it names no bucket")
	}
	if p.Prefix != "" {
		p.Prefix += "/"
	}
	if p.AWS, err = awsconf.FromQuery(q); err != nil {
		return Place{}, err
	}
	switch q.Get("path_style") {
	case "":
		// Other stores than AWS's seldom have a host name for each bucket.
		p.PathStyle = p.AWS.Endpoint != ""
	case "true", "false":
		p.PathStyle = q.Get("path_style") == "true"
	default:
		return Place{}, errPlace("path_style is true or false")
	}
	switch q.Get("lock") {
	case "", "compliance":
	case "governance":
		p.Lock = types.ObjectLockModeGovernance
	default:
		return Place{}, errPlace("lock is compliance or governance")
	}
	q.Del("path_style")
	q.Del("lock")
	if left := awsconf.Refused(q); left != "" {
		return Place{}, errPlace("it takes no " + left)
	}
	return p, nil
}

// String names the place without how it is reached.
func (p Place) String() string { return scheme + p.Bucket + "/" + p.Prefix }

func errPlace(why string) error {
	return errs.New(errs.Invalid, "s3-place", "A place in an object store is s3://BUCKET/PREFIX?region=NAME&endpoint=URL, with profile, path_style and lock if needed; "+why+".")
}
