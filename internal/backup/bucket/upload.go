package bucket

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	// partSize is how much of an object is in memory; stores take no smaller
	// part than 5 MiB.
	partSize = 8 << 20
	// growEvery is after how many parts they become twice as large: stores take
	// 10,000, so an object may have more than a terabyte.
	growEvery = 1500
)

// Upload puts an object of any size that write gives, of which only a part is in
// memory at a time. Either all of it is there afterwards or nothing. Errors:
// those of write; as Put.
func (b *Bucket) Upload(ctx context.Context, name string, until time.Time, write func(io.Writer) error) (int64, error) {
	u := &upload{ctx: ctx, b: b, name: name, until: until, size: partSize}
	err := write(u)
	if err == nil {
		err = u.err
	}
	if err == nil && u.id == nil {
		return u.sent, b.Put(ctx, name, u.part, until)
	}
	if err == nil {
		err = u.complete()
	}
	if err != nil {
		u.abort()
		return 0, err
	}
	return u.sent, b.held(ctx, name, u.version, until)
}

// upload is one object under way in parts (io.Writer).
type upload struct {
	ctx   context.Context
	b     *Bucket
	name  string
	until time.Time
	// id is that of the upload once there is a first part.
	id      *string
	part    []byte
	size    int
	parts   []types.CompletedPart
	sent    int64
	version string
	err     error
}

// Write implements io.Writer.
func (u *upload) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && u.err == nil {
		if u.part == nil {
			u.part = make([]byte, 0, u.size)
		}
		room := min(len(p), u.size-len(u.part))
		u.part = append(u.part, p[:room]...)
		p = p[room:]
		u.sent += int64(room)
		// The last part is sent at the end, when it is known to be the last.
		if len(u.part) == u.size && len(p) > 0 {
			u.err = u.flush()
		}
	}
	return n - len(p), u.err
}

func (u *upload) flush() error {
	ctx, cancel := context.WithTimeout(u.ctx, partLimit)
	defer cancel()
	if u.id == nil {
		mode, until := u.b.hold(u.until)
		out, err := u.b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &u.b.place.Bucket, Key: u.b.key(u.name), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
			ObjectLockMode: mode, ObjectLockRetainUntilDate: until,
		})
		if err != nil {
			return u.b.failed("written", err)
		}
		u.id = out.UploadId
	}
	number := aws.Int32(int32(len(u.parts) + 1))
	out, err := u.b.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.b.place.Bucket, Key: u.b.key(u.name), UploadId: u.id, PartNumber: number,
		Body: bytes.NewReader(u.part), ContentLength: aws.Int64(int64(len(u.part))), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	if err != nil {
		return u.b.failed("written", err)
	}
	u.parts = append(u.parts, types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumSHA256: out.ChecksumSHA256})
	u.part = u.part[:0]
	if len(u.parts)%growEvery == 0 {
		u.size, u.part = 2*u.size, nil
	}
	return nil
}

func (u *upload) complete() error {
	if err := u.flush(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(u.ctx, partLimit)
	defer cancel()
	out, err := u.b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.b.place.Bucket, Key: u.b.key(u.name), UploadId: u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	if err != nil {
		return u.b.failed("written", err)
	}
	u.version = aws.ToString(out.VersionId)
	return nil
}

// abort forgets the parts, also when who asked for the object has gone; what
// stays the next Sweep takes.
func (u *upload) abort() {
	if u.id == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), smallLimit)
	defer cancel()
	_, _ = u.b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.b.place.Bucket, Key: u.b.key(u.name), UploadId: u.id})
}

// Sweep forgets the parts of uploads that began before and never ended: their
// writer was killed. Errors: errs.Unavailable.
func (b *Bucket) Sweep(ctx context.Context, before time.Time) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &b.place.Bucket, Prefix: &b.place.Prefix}
	for {
		out, err := within(ctx, func(ctx context.Context) (*s3.ListMultipartUploadsOutput, error) {
			return b.client.ListMultipartUploads(ctx, in)
		})
		if err != nil {
			return b.failed("listed", err)
		}
		for _, u := range out.Uploads {
			if !aws.ToTime(u.Initiated).Before(before) {
				continue
			}
			_, err := within(ctx, func(ctx context.Context) (*s3.AbortMultipartUploadOutput, error) {
				return b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.place.Bucket, Key: u.Key, UploadId: u.UploadId})
			})
			if err != nil {
				return b.failed("asked to forget an upload", err)
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}
