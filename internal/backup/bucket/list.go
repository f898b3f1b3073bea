package bucket

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// List calls each with the name and size of every object whose name begins so,
// in the order of their names, until it says no. Under Object Lock these are
// what was put first under each name, also when somebody has put or deleted
// something over it since. Errors: errs.Unavailable.
func (b *Bucket) List(ctx context.Context, begin string, each func(name string, size int64) bool) error {
	return b.walk(ctx, walking{prefix: begin, each: each})
}

// firstPage is what the first request asks for: mostly only the first name is
// wanted.
const firstPage = 10

// Folders gives the first parts of names that have a slash, in order. Errors:
// errs.Unavailable.
func (b *Bucket) Folders(ctx context.Context) ([]string, error) {
	var out []string
	err := b.walk(ctx, walking{delimiter: aws.String("/"), folder: func(name string) { out = append(out, name) }})
	return out, err
}

// walking is one listing: each is called with every object until it says no,
// folder with every common beginning up to the delimiter.
type walking struct {
	b         *Bucket
	prefix    string
	delimiter *string
	each      func(name string, size int64) bool
	folder    func(string)
	// oldest is the oldest version seen of the name under way.
	oldest *types.ObjectVersion
	done   bool
}

func (b *Bucket) walk(ctx context.Context, w walking) error {
	w.b, w.prefix = b, b.place.Prefix+w.prefix
	locked, err := b.versioned(ctx)
	switch {
	case err != nil:
		return err
	case locked:
		return w.versions(ctx)
	}
	return w.plain(ctx)
}

// page is the size of the first answer.
func (w *walking) page() *int32 {
	if w.delimiter != nil {
		return nil
	}
	return aws.Int32(firstPage)
}

func (w *walking) plain(ctx context.Context) error {
	in := &s3.ListObjectsV2Input{Bucket: &w.b.place.Bucket, Prefix: &w.prefix, Delimiter: w.delimiter, MaxKeys: w.page()}
	for !w.done {
		out, err := within(ctx, func(ctx context.Context) (*s3.ListObjectsV2Output, error) { return w.b.client.ListObjectsV2(ctx, in) })
		if err != nil {
			return w.b.failed("listed", err)
		}
		for _, o := range out.Contents {
			w.give(w.name(o.Key), o.Size)
		}
		w.folders(out.CommonPrefixes)
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.ContinuationToken, in.MaxKeys = out.NextContinuationToken, nil
	}
	return nil
}

// versions lists the versions of each name, which the store gives newest first.
func (w *walking) versions(ctx context.Context) error {
	in := &s3.ListObjectVersionsInput{Bucket: &w.b.place.Bucket, Prefix: &w.prefix, Delimiter: w.delimiter, MaxKeys: w.page()}
	for !w.done {
		out, err := within(ctx, func(ctx context.Context) (*s3.ListObjectVersionsOutput, error) {
			return w.b.client.ListObjectVersions(ctx, in)
		})
		if err != nil {
			return w.b.failed("listed", err)
		}
		for i := range out.Versions {
			v := &out.Versions[i]
			if w.oldest != nil && aws.ToString(w.oldest.Key) != aws.ToString(v.Key) {
				w.settle()
			}
			w.oldest = v
		}
		w.folders(out.CommonPrefixes)
		if !aws.ToBool(out.IsTruncated) {
			w.settle()
			return nil
		}
		in.KeyMarker, in.VersionIdMarker, in.MaxKeys = out.NextKeyMarker, out.NextVersionIdMarker, nil
	}
	return nil
}

// settle gives the name under way with its oldest version.
func (w *walking) settle() {
	v := w.oldest
	if v == nil || w.each == nil {
		return
	}
	w.oldest = nil
	name := w.name(v.Key)
	w.b.mu.Lock()
	w.b.first[name] = aws.ToString(v.VersionId)
	w.b.mu.Unlock()
	w.give(name, v.Size)
}

func (w *walking) give(name string, size *int64) {
	if !w.done && w.each != nil {
		w.done = !w.each(name, aws.ToInt64(size))
	}
}

func (w *walking) folders(all []types.CommonPrefix) {
	if w.folder == nil {
		return
	}
	for _, p := range all {
		w.folder(strings.TrimSuffix(w.name(p.Prefix), "/"))
	}
}

func (w *walking) name(key *string) string {
	return strings.TrimPrefix(aws.ToString(key), w.b.place.Prefix)
}

// within bounds one request.
func within[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, smallLimit)
	defer cancel()
	return do(ctx)
}
