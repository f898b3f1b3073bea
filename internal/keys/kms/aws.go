package kms

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/mandate-health/mandate/internal/awsconf"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const (
	// rotationTime bounds how long AWS may take to rotate, which it does after
	// it has answered; rotationLook is how often it is asked.
	rotationTime = 2 * time.Minute
	rotationLook = 2 * time.Second
	// materialDigits is how much of the id of a key material stands in that of
	// a KEK.
	materialDigits = 16
)

// AWSConfig says which key of AWS KMS is meant.
type AWSConfig struct {
	// Key is the ARN of a symmetric key or of an alias, the key's id, or
	// alias/NAME.
	Key string
	// At is where the service is and whose credentials are used.
	At awsconf.Config
	// Look is how often Rotate asks whether it is done; zero means 2 s.
	Look time.Duration
}

// AWS is a key of AWS KMS. It is safe for concurrent use.
type AWS struct {
	cfg    AWSConfig
	client *awskms.Client
}

var _ keys.Provider = (*AWS)(nil)

// ParseAWS reads KEY?region=NAME&endpoint=URL&profile=NAME; the region of an ARN
// need not be told again. Errors: errs.Invalid (awskms-place, aws-place).
func ParseAWS(place string) (AWSConfig, error) {
	refuse := func(why string) (AWSConfig, error) {
		return AWSConfig{}, errs.New(errs.Invalid, "awskms-place", "awskms: needs the ARN or the id of a key, or alias/NAME, "+
			"and may have ?region=NAME&endpoint=URL&profile=NAME; "+why+".")
	}
	key, query, _ := strings.Cut(place, "?")
	if key == "" || strings.ContainsAny(key, " \t#") {
		return refuse("the key is missing or has a blank")
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return refuse("what follows the question mark cannot be read")
	}
	at, err := awsconf.FromQuery(q)
	if err != nil {
		return AWSConfig{}, err
	}
	if left := awsconf.Refused(q); left != "" {
		return refuse("it does not know " + left)
	}
	if strings.HasPrefix(key, "arn:") {
		part := strings.SplitN(key, ":", 6)
		if len(part) != 6 || part[2] != "kms" || part[3] == "" {
			return refuse("the ARN is not one of a key")
		}
		if at.Region == "" {
			at.Region = part[3]
		}
	}
	return AWSConfig{Key: key, At: at}, nil
}

// NewAWS gives the provider; nothing is asked of the network yet. Errors:
// errs.Invalid (aws-place, aws-region).
func NewAWS(ctx context.Context, cfg AWSConfig) (*AWS, error) {
	conf, err := awsconf.Load(ctx, cfg.At)
	if err != nil {
		return nil, err
	}
	if cfg.Look == 0 {
		cfg.Look = rotationLook
	}
	return &AWS{cfg: cfg, client: awskms.NewFromConfig(conf)}, nil
}

// Name implements keys.Provider.
func (*AWS) Name() string { return "awskms" }

// bound is the encryption context of a wrapped key: it names the tenant and
// stands in the service's own log.
func bound(context []byte) map[string]string {
	return map[string]string{"mandate-key": string(context)}
}

// Wrap implements keys.Provider. What was wrapped is unwrapped at once: only
// that tells which of the key's materials was used, and that it opens.
func (a *AWS) Wrap(ctx context.Context, key, context []byte) (keys.Wrapped, error) {
	ctx, cancel := timed(ctx)
	defer cancel()
	box, err := a.client.Encrypt(ctx, &awskms.EncryptInput{
		KeyId: &a.cfg.Key, Plaintext: key, EncryptionContext: bound(context),
	})
	if err != nil {
		return keys.Wrapped{}, a.judge(err, "kms:Encrypt")
	}
	out, err := a.decrypt(ctx, box.CiphertextBlob, context)
	if err != nil {
		return keys.Wrapped{}, err
	}
	if string(out.Plaintext) != string(key) {
		return keys.Wrapped{}, errAWSAnswer()
	}
	return keys.Wrapped{KEK: kekID(out.KeyId, out.KeyMaterialId), Bytes: box.CiphertextBlob}, nil
}

// Unwrap implements keys.Provider.
func (a *AWS) Unwrap(ctx context.Context, w keys.Wrapped, context []byte) ([]byte, error) {
	if !strings.HasPrefix(w.KEK, "awskms-") {
		return nil, a.unknown(w.KEK)
	}
	ctx, cancel := timed(ctx)
	defer cancel()
	out, err := a.decrypt(ctx, w.Bytes, context)
	var other *types.IncorrectKeyException
	if errors.As(err, &other) {
		return nil, a.unknown(w.KEK)
	}
	if err != nil {
		return nil, err
	}
	return out.Plaintext, nil
}

func (a *AWS) decrypt(ctx context.Context, box, context []byte) (*awskms.DecryptOutput, error) {
	out, err := a.client.Decrypt(ctx, &awskms.DecryptInput{
		KeyId: &a.cfg.Key, CiphertextBlob: box, EncryptionContext: bound(context),
	})
	if err != nil {
		return nil, a.judge(err, "kms:Decrypt")
	}
	return out, nil
}

// Current implements keys.Provider.
func (a *AWS) Current(ctx context.Context) (keys.KEK, error) {
	ctx, cancel := timed(ctx)
	defer cancel()
	key, err := a.client.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: &a.cfg.Key})
	if err != nil {
		return keys.KEK{}, a.judge(err, "kms:DescribeKey")
	}
	m := key.KeyMetadata
	if m == nil || m.KeyId == nil {
		return keys.KEK{}, errAWSAnswer()
	}
	kek := keys.KEK{ID: kekID(m.KeyId, m.CurrentKeyMaterialId), Created: aws.ToTime(m.CreationDate).UTC()}
	if m.CurrentKeyMaterialId == nil {
		return kek, nil // kept in an HSM of its own: it is not rotated
	}
	past, err := a.client.ListKeyRotations(ctx, &awskms.ListKeyRotationsInput{KeyId: m.KeyId, Limit: aws.Int32(1000)})
	if err != nil {
		return keys.KEK{}, a.judge(err, "kms:ListKeyRotations")
	}
	for _, r := range past.Rotations {
		if aws.ToString(r.KeyMaterialId) == *m.CurrentKeyMaterialId && r.RotationDate != nil {
			kek.Created = r.RotationDate.UTC()
		}
	}
	return kek, nil
}

// Rotate implements keys.Provider: it asks for new key material and waits until
// that encrypts.
func (a *AWS) Rotate(ctx context.Context) (keys.KEK, error) {
	before, err := a.Current(ctx)
	if err != nil {
		return keys.KEK{}, err
	}
	asked, cancel := timed(ctx)
	_, err = a.client.RotateKeyOnDemand(asked, &awskms.RotateKeyOnDemandInput{KeyId: &a.cfg.Key})
	cancel()
	// Somebody else has just asked for it.
	var meanwhile *types.ConflictException
	if err != nil && !errors.As(err, &meanwhile) {
		return keys.KEK{}, a.judge(err, "kms:RotateKeyOnDemand")
	}
	ctx, cancel = context.WithTimeout(ctx, rotationTime)
	defer cancel()
	tick := time.NewTicker(a.cfg.Look)
	defer tick.Stop()
	for {
		now, err := a.Current(ctx)
		if err == nil && now.ID != before.ID {
			return now, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return keys.KEK{}, errs.Wrap(errors.Join(err, ctx.Err()), errs.Unavailable, "awskms-rotating",
				"AWS KMS has not finished the rotation of the key "+a.cfg.Key+" yet; run the command again later.")
		}
	}
}

// kekID names a key and its material.
func kekID(key, material *string) string {
	id := aws.ToString(key)
	id = "awskms-" + id[strings.LastIndexByte(id, '/')+1:]
	if m := aws.ToString(material); m != "" {
		id += "-" + m[:min(len(m), materialDigits)]
	}
	return id
}

func timed(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}

// judge gives what a failed call means; permission is what it needs.
func (a *AWS) judge(err error, permission string) error {
	var changed *types.InvalidCiphertextException
	var other *types.IncorrectKeyException
	var api smithy.APIError
	switch {
	case errors.As(err, &changed):
		return errs.Wrap(err, errs.Internal, "key-unwrap", "A wrapped key was changed or belongs elsewhere.")
	case errors.As(err, &other):
		return errs.Wrap(err, errs.Conflict, "kek-unknown", "What is to be unwrapped was wrapped by another key than "+a.cfg.Key+".")
	case !errors.As(err, &api):
		return errs.Wrap(err, errs.Unavailable, "awskms-unreachable", "AWS KMS does not answer, or there are no credentials for it.")
	}
	switch code := api.ErrorCode(); code {
	case "AccessDeniedException":
		return errs.Wrap(err, errs.Unavailable, "awskms-refused", "AWS KMS refuses: the policy must allow "+permission+" on the key "+a.cfg.Key+".")
	case "NotFoundException", "InvalidArnException":
		return errs.Wrap(err, errs.Unavailable, "awskms-key", "AWS KMS has no key "+a.cfg.Key+" in this account and region.")
	case "DisabledException", "KMSInvalidStateException", "KeyUnavailableException", "InvalidKeyUsageException", "UnsupportedOperationException",
		"LimitExceededException":
		return errs.Wrap(err, errs.Unavailable, "awskms-key", "AWS KMS cannot do "+permission+" with the key "+a.cfg.Key+": "+code+".")
	default:
		return errs.Wrap(err, errs.Unavailable, "awskms-failed", "AWS KMS refused "+permission+" with "+code+".")
	}
}

func (a *AWS) unknown(kek string) error {
	return errs.New(errs.Conflict, "kek-unknown", "The store was encrypted under the key "+kek+
		", which is not the key "+a.cfg.Key+" of AWS KMS. Name the right one with --keys awskms:KEY.")
}

func errAWSAnswer() error {
	return errs.New(errs.Unavailable, "awskms-answer", "The answer of AWS KMS cannot be read.")
}
