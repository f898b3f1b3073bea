package awsconf_test

import (
	"net/url"
	"path/filepath"
	"testing"

	"github.com/mandate-health/mandate/internal/awsconf"
	"github.com/mandate-health/mandate/internal/errs"
)

// Nothing of this machine's own settings of AWS takes part.
func alone(t *testing.T) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		query string
		want  awsconf.Config
		ok    bool
	}{
		{"", awsconf.Config{}, true},
		{"region=eu-central-1", awsconf.Config{Region: "eu-central-1"}, true},
		{"region=eu-central-1&profile=hospital&endpoint=https://kms.example.org/", awsconf.Config{
			Region: "eu-central-1", Profile: "hospital", Endpoint: "https://kms.example.org"}, true},
		{"endpoint=http://127.0.0.1:4566", awsconf.Config{Endpoint: "http://127.0.0.1:4566"}, true},
		{"endpoint=http://[::1]:4566", awsconf.Config{Endpoint: "http://[::1]:4566"}, true},
		{"endpoint=http://10.0.0.7:4566", awsconf.Config{}, false},
		{"endpoint=https://user:secret@kms.example.org", awsconf.Config{}, false},
		{"endpoint=kms.example.org", awsconf.Config{}, false},
		{"endpoint=", awsconf.Config{}, false},
		{"region=eu central", awsconf.Config{}, false},
		{"region=a&region=b", awsconf.Config{}, false},
	} {
		q, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := awsconf.FromQuery(q)
		if c.ok && (err != nil || got != c.want) {
			t.Errorf("%q: %+v %v, want %+v", c.query, got, err, c.want)
		}
		if !c.ok && !errs.Is(err, errs.Invalid) {
			t.Errorf("%q is taken: %+v %v", c.query, got, err)
		}
	}
}

func TestWhatNobodyReadIsLeft(t *testing.T) {
	q := url.Values{"region": {"eu-central-1"}, "secret": {"x"}, "acl": {"public"}}
	if _, err := awsconf.FromQuery(q); err != nil {
		t.Fatal(err)
	}
	if got := awsconf.Refused(q); got != "acl, secret" {
		t.Errorf("left: %q", got)
	}
}

// SE-04: credentials come from the environment, never from the place.
func TestCredentialsComeFromTheEnvironment(t *testing.T) {
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
	cfg, err := awsconf.Load(t.Context(), awsconf.Config{Region: "eu-central-1", Endpoint: "https://kms.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Region != "eu-central-1" || cfg.BaseEndpoint == nil || *cfg.BaseEndpoint != "https://kms.example.org" {
		t.Errorf("region %q, endpoint %v", cfg.Region, cfg.BaseEndpoint)
	}
	got, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "AKIDEXAMPLE" {
		t.Errorf("credentials of %q: %v", got.AccessKeyID, err)
	}
}

func TestARegionIsNeeded(t *testing.T) {
	alone(t)
	if _, err := awsconf.Load(t.Context(), awsconf.Config{}); errs.As(err).Code != "aws-region" {
		t.Errorf("without a region: %v", err)
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	if cfg, err := awsconf.Load(t.Context(), awsconf.Config{}); err != nil || cfg.Region != "eu-west-1" {
		t.Errorf("region of the environment: %q %v", cfg.Region, err)
	}
	if _, err := awsconf.Load(t.Context(), awsconf.Config{Profile: "absent"}); errs.As(err).Code != "aws-place" {
		t.Errorf("a profile that is not there: %v", err)
	}
}
