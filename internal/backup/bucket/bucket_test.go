package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/mandate-health/mandate/internal/backup/bucket"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/testbucket"
)

func open(t *testing.T, place string) *bucket.Bucket {
	t.Helper()
	p, err := bucket.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bucket.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func names(t *testing.T, b *bucket.Bucket, begin string) []string {
	t.Helper()
	var out []string
	err := b.List(t.Context(), begin, func(name string, _ int64) bool {
		out = append(out, name)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, b *bucket.Bucket, name string, limit int64) string {
	t.Helper()
	in, err := b.Get(t.Context(), name, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// big gives text that takes several parts.
func big() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16) }

// SG-08: what was put is there whole, in parts or in one; what failed or was
// killed leaves nothing that is listed; and each bucket may be with or without
// Object Lock.
func TestObjects(t *testing.T) {
	server := testbucket.Start(t)
	for name, locked := range map[string]bool{"plain": false, "locked": true} {
		t.Run(name, func(t *testing.T) {
			server.Bucket(t, name, locked)
			b := open(t, server.Place(name, "deep/down"))
			must(t, b.Put(t.Context(), "a/2", []byte("two"), time.Time{}))
			must(t, b.Put(t.Context(), "a/1", []byte("one"), time.Time{}))
			must(t, b.Put(t.Context(), "b/1", nil, time.Time{}))
			for range 12 {
				must(t, b.Put(t.Context(), "c/1", []byte("again"), time.Time{}))
			}
			size, err := b.Upload(t.Context(), "big", time.Time{}, func(w io.Writer) error {
				_, err := io.Copy(w, bytes.NewReader(big()))
				return err
			})
			if err != nil || size != int64(len(big())) || read(t, b, "big", 0) != string(big()) {
				t.Fatal(size, err)
			}
			size, err = b.Upload(t.Context(), "small", time.Time{}, func(w io.Writer) error {
				_, err := w.Write([]byte("small"))
				return err
			})
			if err != nil || size != 5 || read(t, b, "small", 3) != "sma" {
				t.Fatal(size, err)
			}
			if got := names(t, b, ""); !slices.Equal(got, []string{"a/1", "a/2", "b/1", "big", "c/1", "small"}) {
				t.Error(got)
			}
			if got := names(t, b, "a/"); !slices.Equal(got, []string{"a/1", "a/2"}) {
				t.Error(got)
			}
			if got, err := b.Folders(t.Context()); err != nil || !slices.Equal(got, []string{"a", "b", "c"}) {
				t.Error(got, err)
			}
			must(t, b.Delete(t.Context(), "a/1"))
			if _, err := open(t, server.Place(name, "deep/down")).Get(t.Context(), "a/1", 0); !errs.Is(err, errs.NotFound) {
				t.Error("read after its end:", err)
			}
			given(t, server, b, name)
		})
	}
}

// given up are uploads whose writer failed or was killed.
func given(t *testing.T, server *testbucket.Server, b *bucket.Bucket, name string) {
	t.Helper()
	failed := errors.New("the store went away")
	before := names(t, b, "")
	_, err := b.Upload(t.Context(), "half", time.Time{}, func(w io.Writer) error {
		_, err := w.Write(big())
		return errors.Join(err, failed)
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	// Killed: nobody gives the upload up.
	_, err = server.Client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &name, Key: aws.String("deep/down/killed")})
	must(t, err)
	if got := names(t, b, ""); !slices.Equal(got, before) {
		t.Error("half an object is listed:", got)
	}
	pending := func() int {
		out, err := server.Client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &name})
		must(t, err)
		return len(out.Uploads)
	}
	must(t, b.Sweep(t.Context(), time.Now().Add(-time.Hour)))
	if pending() != 1 {
		t.Error("uploads left, one is young:", pending())
	}
	must(t, b.Sweep(t.Context(), time.Now().Add(time.Hour)))
	if pending() != 0 {
		t.Error("a killed upload stays")
	}
}

// SG-08: under Object Lock neither the server nor who stole its credentials can
// delete or replace what was written, nor hide it.
func TestImmutable(t *testing.T) {
	server := testbucket.Start(t)
	server.Bucket(t, "kept", true)
	for _, mode := range []string{"compliance", "governance"} {
		b := open(t, server.Place("kept", mode)+"&lock="+mode)
		must(t, b.Ready(t.Context(), true))
		until := time.Now().Add(time.Hour)
		must(t, b.Put(t.Context(), "one", []byte("first"), until))
		_, err := b.Upload(t.Context(), "large", until, func(w io.Writer) error {
			_, err := w.Write(big())
			return err
		})
		must(t, err)
		for _, name := range []string{"one", "large"} {
			if err := b.Delete(t.Context(), name); errs.As(err).Code != "s3-refused" {
				t.Errorf("%s: deleted under a lock: %v", mode, err)
			}
			// What a thief can do: hide it, and put something else there.
			key := mode + "/" + name
			_, err = server.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("kept"), Key: &key})
			must(t, err)
			_, err = server.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("kept"), Key: &key, Body: strings.NewReader("forged")})
			must(t, err)
			_, err = server.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("kept"), Key: &key})
			must(t, err)
		}
		after := open(t, server.Place("kept", mode))
		if got := names(t, after, ""); !slices.Equal(got, []string{"large", "one"}) {
			t.Errorf("%s: hidden: %v", mode, got)
		}
		if got := read(t, after, "one", 0); got != "first" {
			t.Errorf("%s: replaced by %q", mode, got)
		}
		if got := read(t, open(t, server.Place("kept", mode)), "large", 0); got != string(big()) {
			t.Errorf("%s: the large one is replaced", mode)
		}
	}
}

// Each fault has its own sentence, and none holds a credential.
func TestFaults(t *testing.T) {
	server := testbucket.Start(t)
	server.Bucket(t, "plain", false)
	ready := func(place string, immutable bool) error { return open(t, place).Ready(t.Context(), immutable) }
	must(t, ready(server.Place("plain", ""), false))
	tell := func(name string, err error, code string) {
		t.Helper()
		if err == nil || errs.As(err).Code != code || strings.Contains(errs.As(err).Msg, server.SecretKey) {
			t.Errorf("%s: %v, want %s", name, err, code)
		}
	}
	tell("no Object Lock", ready(server.Place("plain", ""), true), "s3-not-lockable")
	tell("no bucket", ready(server.Place("absent", ""), false), "s3-refused")
	until := time.Now().Add(time.Hour)
	tell("a lock where there is none", open(t, server.Place("plain", "")).Put(t.Context(), "x", nil, until), "s3-refused")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	tell("given up", open(t, server.Place("plain", "")).Put(gone, "x", nil, time.Time{}), "s3-unreachable")
	tell("nobody there", ready(strings.Replace(server.Place("plain", ""), "127.0.0.1", "127.0.0.2", 1), false), "s3-unreachable")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	tell("wrong credentials", ready(server.Place("plain", ""), false), "s3-refused")
}

func TestPlaces(t *testing.T) {
	for place, want := range map[string]string{
		"s3://b": "s3://b/", "s3://b/": "s3://b/", "s3://b/x/y/": "s3://b/x/y/",
		"s3://b/x?region=eu-central-1&profile=p&lock=governance&path_style=true&endpoint=https://s.example": "s3://b/x/",
		"s3://": "", "s3:///x": "", "s3://u:p@b/x": "", "s3://b:80/x": "", "s3://b/x#y": "", "s3://b/x?y=z": "", "s3://b/x?lock=none": "",
		"s3://b/x?path_style=1": "", "s3://b/x?endpoint=http://s.example": "", "s3://b/x?%zz": "", "/mnt/x": "",
	} {
		p, err := bucket.Parse(place)
		if want == "" && !errs.Is(err, errs.Invalid) || want != "" && (err != nil || p.String() != want) {
			t.Errorf("%s: %v %v", place, p, err)
		}
	}
}
