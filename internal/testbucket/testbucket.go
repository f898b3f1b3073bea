package testbucket

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/mandate-health/mandate/internal/freeport"
)

// program is what scripts/test-tools.sh installs.
const program = "versitygw-v1.8.0"

// Region is the region of every server.
const Region = "us-east-1"

// Server is a running object store.
type Server struct {
	// Endpoint is its URL.
	Endpoint string
	// AccessKey and SecretKey belong to its only account.
	AccessKey, SecretKey string
	// Client is for what a stranger or an administrator would do.
	Client *s3.Client
}

// Start starts a server. The credentials are set for this test as
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
func Start(t *testing.T) *Server {
	t.Helper()
	s := &Server{AccessKey: "test", SecretKey: "not-a-secret"}
	dir := t.TempDir()
	objects, versions := filepath.Join(dir, "objects"), filepath.Join(dir, "versions")
	for _, d := range []string{objects, versions} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	address := freeAddress(t)
	s.Endpoint = "http://" + address
	cmd := exec.CommandContext(context.Background(), tool(t), //nolint:gosec // the program of .tools
		"--quiet", "--port", address,
		"--access", s.AccessKey, "--secret", s.SecretKey, "--region", Region, "posix", "--versioning-dir", versions, objects)
	// It ends with the test, also when that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	await(t, s.Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.SecretKey)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	s.Client = s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint), Region: Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}, nil
		}),
	})
	return s
}

// Bucket makes a bucket, with Object Lock or without.
func (s *Server) Bucket(t *testing.T, name string, locked bool) {
	t.Helper()
	_, err := s.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: &locked})
	if err != nil {
		t.Fatal(err)
	}
}

// Place names a place in a bucket as an operator does.
func (s *Server) Place(bucket, prefix string) string {
	return "s3://" + bucket + "/" + prefix + "?region=" + Region + "&endpoint=" + s.Endpoint
}

// tool finds the program in .tools of the module.
func tool(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		path := filepath.Join(dir, ".tools", program)
		if _, e := os.Stat(path); e == nil {
			return path
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		break
	}
	t.Fatalf("%s is missing in .tools: run make test-tools", program)
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// await waits until the server answers.
func await(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := http.Client{Timeout: time.Second}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the object store did not answer within a minute")
		}
	}
}
