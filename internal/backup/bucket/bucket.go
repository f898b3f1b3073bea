package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/mandate-health/mandate/internal/awsconf"
	"github.com/mandate-health/mandate/internal/errs"
)

// How long one request may take: a small one, and one that carries a part of a
// large object.
const (
	smallLimit = 20 * time.Second
	partLimit  = 5 * time.Minute
)

// Bucket is an open place. It is safe for concurrent use.
type Bucket struct {
	place  Place
	client *s3.Client

	mu sync.Mutex
	// asked says that the bucket was asked about Object Lock, locked that it
	// has it, and with it versions.
	asked, locked bool
	// first are the versions under which names were put first, of a locked one.
	first map[string]string
}

// Open reads settings and credentials; nothing is asked of the network. Errors:
// errs.Invalid (aws-place, aws-region).
func Open(ctx context.Context, p Place) (*Bucket, error) {
	cfg, err := awsconf.Load(ctx, p.AWS)
	if err != nil {
		return nil, err
	}
	return &Bucket{
		place: p, first: map[string]string{},
		client: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = p.PathStyle }),
	}, nil
}

// Ready reaches the bucket; immutable demands that it has Object Lock. Errors:
// errs.Invalid (s3-not-lockable); errs.Unavailable (s3-unreachable, s3-refused).
func (b *Bucket) Ready(ctx context.Context, immutable bool) error {
	locked, err := b.versioned(ctx)
	if err == nil && immutable && !locked {
		return errs.New(errs.Invalid, "s3-not-lockable", fmt.Sprintf(
			"The bucket %s has no Object Lock, so nothing in it can be made immutable."+
				" Make a bucket with Object Lock (most stores offer it at its creation only), or go without --backup-immutable.", b.place.Bucket))
	}
	return err
}

// versioned reports whether the bucket has Object Lock, and asks it once.
func (b *Bucket) versioned(ctx context.Context) (bool, error) {
	b.mu.Lock()
	asked, locked := b.asked, b.locked
	b.mu.Unlock()
	if asked {
		return locked, nil
	}
	ctx, cancel := context.WithTimeout(ctx, smallLimit)
	defer cancel()
	out, err := b.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &b.place.Bucket})
	switch {
	case err == nil:
		locked = out.ObjectLockConfiguration != nil && out.ObjectLockConfiguration.ObjectLockEnabled == types.ObjectLockEnabledEnabled
	case !withoutLock(err):
		return false, b.failed("asked about its Object Lock", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked, b.locked = true, locked
	return locked, nil
}

// withoutLock tells the answers of a store that does without Object Lock.
func withoutLock(err error) bool {
	switch code(err) {
	case "ObjectLockConfigurationNotFoundError", "NotImplemented", "MethodNotAllowed", "InvalidRequest":
		return true
	}
	return false
}

// String names the place.
func (b *Bucket) String() string { return b.place.String() }

func (b *Bucket) key(name string) *string { return aws.String(b.place.Prefix + name) }

// Put puts an object that is in memory. The store keeps it immutable until the
// moment given; the zero time asks for nothing. Errors: errs.Unavailable (s3-unreachable, s3-refused,
// s3-not-locked).
func (b *Bucket) Put(ctx context.Context, name string, body []byte, until time.Time) error {
	limit := smallLimit
	if len(body) > 1<<18 {
		limit = partLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	mode, hold := b.hold(until)
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.place.Bucket, Key: b.key(name), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ObjectLockMode: mode, ObjectLockRetainUntilDate: hold,
	})
	if err != nil {
		return b.failed("written", err)
	}
	return b.held(ctx, name, aws.ToString(out.VersionId), until)
}

// hold gives the headers of a lock.
func (b *Bucket) hold(until time.Time) (types.ObjectLockMode, *time.Time) {
	if until.IsZero() {
		return "", nil
	}
	return b.place.Lock, aws.Time(until.UTC().Truncate(time.Second))
}

// held asks the store whether it keeps an object as it was told to.
func (b *Bucket) held(ctx context.Context, name, version string, until time.Time) error {
	if until.IsZero() {
		return nil
	}
	in := &s3.GetObjectRetentionInput{Bucket: &b.place.Bucket, Key: b.key(name)}
	if version != "" {
		in.VersionId = &version
	}
	out, err := b.client.GetObjectRetention(ctx, in)
	if err != nil {
		return b.failed("asked whether it keeps an object", err)
	}
	r := out.Retention
	if r == nil || string(r.Mode) != string(b.place.Lock) || aws.ToTime(r.RetainUntilDate).Before(until.Add(-time.Second)) {
		return errs.New(errs.Unavailable, "s3-not-locked", fmt.Sprintf(
			"The bucket %s took an object and does not keep it immutable as it was asked to.", b.place.Bucket))
	}
	return nil
}

// Get opens an object for reading; limit > 0 gives only that many bytes of its
// beginning. Errors: errs.NotFound (s3-absent); errs.Unavailable.
func (b *Bucket) Get(ctx context.Context, name string, limit int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &b.place.Bucket, Key: b.key(name)}
	version, err := b.version(ctx, name)
	if err != nil {
		return nil, err
	}
	if version != "" {
		in.VersionId = &version
	}
	if limit > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=0-%d", limit-1))
	}
	out, err := b.client.GetObject(ctx, in)
	if err != nil {
		return nil, b.failed("read", err)
	}
	return out.Body, nil
}

// version gives the version that was put first under a name, "" where there are
// no versions.
func (b *Bucket) version(ctx context.Context, name string) (string, error) {
	if locked, err := b.versioned(ctx); err != nil || !locked {
		return "", err
	}
	b.mu.Lock()
	v := b.first[name]
	b.mu.Unlock()
	if v != "" {
		return v, nil
	}
	// Of the names that begin so, this very one is the first.
	found := false
	err := b.List(ctx, name, func(first string, _ int64) bool {
		found = first == name
		return false
	})
	if err != nil || found {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.first[name], err
	}
	return "", errs.New(errs.NotFound, "s3-absent", fmt.Sprintf("There is no %s%s.", b.place, name))
}

// Delete removes an object for good. Errors: errs.Unavailable, also while the
// store still keeps it immutable.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, smallLimit)
	defer cancel()
	in := &s3.DeleteObjectInput{Bucket: &b.place.Bucket, Key: b.key(name)}
	version, err := b.version(ctx, name)
	if err != nil {
		return err
	}
	if version != "" {
		in.VersionId = &version
	}
	if _, err := b.client.DeleteObject(ctx, in); err != nil {
		return b.failed("asked to delete an object", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.first, name)
	return nil
}

// code gives the store's own code of an error, "" when it did not answer.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// failed puts an error of the store into a sentence. The store's own message is
// left out: it may quote what it was sent.
func (b *Bucket) failed(doing string, err error) error {
	c := code(err)
	switch c {
	case "":
		return errs.Wrap(err, errs.Unavailable, "s3-unreachable", fmt.Sprintf(
			"The object store of %s could not be %s: it does not answer, or there are no credentials."+
				" Look at the endpoint, the network, AWS_ACCESS_KEY_ID or the profile.", b.place, doing))
	case "NoSuchKey", "NotFound":
		return errs.Wrap(err, errs.NotFound, "s3-absent", fmt.Sprintf("An object of %s is not there.", b.place))
	}
	return errs.Wrap(err, errs.Unavailable, "s3-refused", fmt.Sprintf(
		"The object store of %s could not be %s: it answers %s.", b.place, doing, strings.Map(printable, c)))
}

func printable(r rune) rune {
	if r > ' ' && r < 0x7f {
		return r
	}
	return -1
}
