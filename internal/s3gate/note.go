package s3gate

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"

	"thingd/internal/aws/sigv4"
)

// noteHeader names the note that belongs to a request. Clients cannot send it.
const noteHeader = "X-Thingd-Note"

// notes are what the front knows about streamed bodies, for the reader behind.
// They stay in this process.
type notes struct {
	mu   sync.Mutex
	left map[string]*signer
}

// leave puts a note down for a request; the result takes it away.
func (n *notes) leave(r *http.Request, s *signer) func() {
	id := rand.Text()
	r.Header.Set(noteHeader, id)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left == nil {
		n.left = map[string]*signer{}
	}
	n.left[id] = s
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.left, id)
	}
}

func (n *notes) find(id string) *signer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.left[id]
}

// streaming begins the words for bodies in chunks of AWS's own.
const streaming = "STREAMING-"

// unwrap is a middleware of versitygw: it reads object data as its client signed
// it, so that a wrong hash or chunk fails the upload before it is named.
func (n *notes) unwrap(ctx fiber.Ctx) error {
	header := &ctx.Request().Header
	s := n.find(ctx.Get(noteHeader))
	header.Del(noteHeader)
	if s == nil {
		return ctx.Next()
	}
	body := ctx.Request().BodyStream()
	switch {
	case body == nil:
		body = strings.NewReader("")
	case header.ContentLength() < 0 && strings.HasPrefix(s.payload, streaming):
		length, err := utils.ParseDecodedContentLength(ctx)
		if err != nil {
			return answerS3Error(ctx, err)
		}
		claimed := &lengthClaimed{header, body, int(length)}
		body = claimed
		header.SetContentLength(claimed.length)
		defer claimed.end(ctx)
	}
	reader, err := s.open(ctx, body)
	if err != nil {
		return answerS3Error(ctx, err)
	}
	utils.ContextKeyBodyReader.Set(ctx, reader)
	return ctx.Next()
}

// lengthClaimed reads a body that comes in chunks of HTTP around chunks of AWS's,
// as botocore sends it. versitygw wants to see a Content-Length, which here is
// that of the data; the HTTP reader below must not see it.
type lengthClaimed struct {
	header *fasthttp.RequestHeader
	body   io.Reader
	length int // of the data, bytes
}

func (l *lengthClaimed) Read(p []byte) (int, error) {
	l.header.SetContentLength(-1)
	defer l.header.SetContentLength(l.length)
	return l.body.Read(p)
}

// end tells the truth again. The end of HTTP's chunks may be unread, so the
// connection serves no other request.
func (l *lengthClaimed) end(ctx fiber.Ctx) {
	l.header.SetContentLength(-1)
	ctx.Response().Header.SetConnectionClose()
}

// open gives the object data of a body.
func (s *signer) open(ctx fiber.Ctx, body io.Reader) (io.Reader, error) {
	switch {
	case s.payload == sigv4.UnsignedPayload:
		return body, nil
	case !strings.HasPrefix(s.payload, streaming):
		return utils.NewHashReader(body, s.payload, utils.HashTypeSha256Hex)
	}
	by := utils.AuthData{
		Access: s.signature.AccessKeyID, Region: s.signature.Region, Service: s.signature.Service,
		Date: s.signature.Date, Signature: s.seed, SignedHeaders: strings.Join(s.signature.SignedHeaders, ";"),
	}
	// The reader looks the form of the chunks up in the header, which by now is
	// that of the request behind.
	ctx.Request().Header.Set(contentHash, s.payload)
	defer ctx.Request().Header.Set(contentHash, sigv4.UnsignedPayload)
	return utils.NewChunkReader(ctx, body, by, "", s.key, s.signature.Time)
}

// answerS3Error writes an error of versitygw's.
func answerS3Error(ctx fiber.Ctx, err error) error {
	var known s3err.S3Error
	if !errors.As(err, &known) {
		known = s3err.GetAPIError(s3err.ErrInternalError)
	}
	id, host := utils.EnsureRequestIDs(ctx)
	ctx.Response().Header.SetContentType(fiber.MIMEApplicationXML)
	return ctx.Status(known.StatusCode()).Send(known.XMLBody(id, host))
}
