package awsconf

import (
	"context"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/mandate-health/mandate/internal/errs"
)

// Config says where a service is and which credentials are meant. It holds none.
type Config struct {
	// Region is that of the service; empty leaves it to the environment
	// (AWS_REGION) and the shared files.
	Region string
	// Endpoint is the base URL of a private endpoint or of a service that
	// speaks the same protocol; empty means AWS's own. http is taken for this
	// machine only.
	Endpoint string
	// Profile is a profile of the shared files; empty leaves it to AWS_PROFILE.
	Profile string
}

// parameters are what FromQuery reads.
func parameters() []string { return []string{"region", "endpoint", "profile"} }

// FromQuery takes region, endpoint and profile from the query of a place and
// removes them from it, so that the caller can refuse what is left. Errors:
// errs.Invalid (aws-place).
func FromQuery(q url.Values) (Config, error) {
	for _, name := range parameters() {
		if len(q[name]) > 1 || q.Has(name) && q.Get(name) == "" {
			return Config{}, errPlace(name + " stands twice or is empty")
		}
	}
	c := Config{Region: q.Get("region"), Endpoint: strings.TrimRight(q.Get("endpoint"), "/"), Profile: q.Get("profile")}
	for _, name := range parameters() {
		q.Del(name)
	}
	return c, c.Validate()
}

// Validate judges the parts without asking anybody. Errors: errs.Invalid
// (aws-place).
func (c Config) Validate() error {
	if strings.ContainsFunc(c.Region, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	}) {
		return errPlace("a region is a name such as eu-central-1")
	}
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errPlace("endpoint is no base URL")
	case u.Scheme == "https" || u.Scheme == "http" && thisMachine(u.Hostname()):
		return nil
	}
	return errPlace("only https reaches an endpoint on another machine")
}

func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Load gives what clients of services are made from. Credentials come, in this
// order, from AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, the shared files of
// the profile, a web identity token (Kubernetes), the container's or the
// machine's role; they are fetched at the first call and renewed in time.
// Errors: errs.Invalid (aws-place, aws-region).
func Load(ctx context.Context, c Config) (aws.Config, error) {
	if err := c.Validate(); err != nil {
		return aws.Config{}, err
	}
	opts := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithAppID("mandate"),
		// It would write beside our own log, without its redaction.
		awsconfig.WithLogger(logging.Nop{}),
	}
	if c.Region != "" {
		opts = append(opts, awsconfig.WithRegion(c.Region))
	}
	if c.Profile != "" {
		opts = append(opts, awsconfig.WithSharedConfigProfile(c.Profile))
	}
	if c.Endpoint != "" {
		opts = append(opts, awsconfig.WithBaseEndpoint(c.Endpoint))
	}
	out, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return aws.Config{}, errs.Wrap(err, errs.Invalid, "aws-place",
			"The settings of AWS cannot be read: look at the profile, and at the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name.")
	}
	if out.Region == "" {
		return aws.Config{}, errs.New(errs.Invalid, "aws-region",
			"No region of AWS is known: add region=NAME to the place, or set AWS_REGION.")
	}
	return out, nil
}

// Refused names the parameters of a query that nobody took, "" when there are
// none.
func Refused(q url.Values) string { return strings.Join(slices.Sorted(maps.Keys(q)), ", ") }

func errPlace(why string) error {
	return errs.New(errs.Invalid, "aws-place", "An AWS service is named with region=NAME, endpoint=URL and profile=NAME; "+why+".")
}
