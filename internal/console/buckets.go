package console

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
)

// uploadMax bounds one uploaded object: what S3 takes in one PUT, bytes.
const uploadMax = 5 << 30

// viewMax bounds the object that is shown as text, bytes.
const viewMax = 256 << 10

// bucketsPage is a part of the list of buckets.
type bucketsPage struct {
	bucketList
	First bool
}

func (v *visit) buckets() error {
	client, err := v.s3()
	if err != nil {
		return err
	}
	token := v.query("token")
	list, err := client.buckets(token, bucketsSize)
	if err != nil {
		return err
	}
	return v.render("buckets", bucketsPage{list, token == ""})
}

// bucketForm is the form of a new bucket.
type bucketForm struct {
	Name    string
	Problem told
}

func (v *visit) newBucket() error { return v.render("bucketform", bucketForm{}) }

// createBucket makes a bucket; all but its name is as it comes.
func (v *visit) createBucket() error {
	form := bucketForm{Name: v.form("name")}
	v.note("bucket", form.Name)
	client, err := v.s3()
	if err != nil {
		return err
	}
	err = client.createBucket(form.Name)
	if fault.Is(err, fault.CodeForbidden) {
		return err
	}
	if err != nil {
		form.Problem, v.refused = v.tell(err), err
		return v.renderWith(statusOf(err), "bucketform", form)
	}
	return v.to(bucketPath(form.Name, ""), "created.named", form.Name)
}

// bucketPath is the page of a folder of a bucket, "" for all of it.
func bucketPath(name, prefix string) string {
	at := Root + "buckets/" + url.PathEscape(name)
	if prefix != "" {
		at += "?" + url.Values{"prefix": {prefix}}.Encode()
	}
	return at
}

// bucketPage is a folder of a bucket.
type bucketPage struct {
	Bucket, Prefix string
	Here           string   // its first page
	Trail          []folder // from the bucket down to the folder
	Folders        []folder
	Objects        []objectRow
	Next           string
	First          bool
}

// folder is a prefix up to a slash.
type folder struct{ Name, Path string }

// objectRow is an object in a folder; Path is of its page.
type objectRow struct {
	object
	Name, Path string
}

func (v *visit) bucket() error {
	client, err := v.s3()
	if err != nil {
		return err
	}
	name, prefix := v.r.PathValue("bucket"), v.r.URL.Query().Get("prefix")
	list, err := client.list(name, prefix, v.query("token"))
	if err != nil {
		return err
	}
	page := bucketPage{Bucket: name, Prefix: prefix, Here: bucketPath(name, prefix), Trail: trailOf(name, prefix), Next: list.Next, First: v.query("token") == ""}
	for _, one := range list.Folders {
		page.Folders = append(page.Folders, folder{strings.TrimPrefix(one, prefix), bucketPath(name, one)})
	}
	for _, one := range list.Objects {
		if one.Key != prefix { // the folder's own mark
			page.Objects = append(page.Objects, objectRow{one, strings.TrimPrefix(one.Key, prefix), objectPath(name, one.Key)})
		}
	}
	return v.render("bucket", page)
}

// trailOf gives the way down to a folder.
func trailOf(bucket, prefix string) []folder {
	trail := []folder{{bucket, bucketPath(bucket, "")}}
	for end := range prefix {
		if prefix[end] == '/' {
			before := prefix[:end]
			trail = append(trail, folder{before[strings.LastIndexByte(before, '/')+1:] + "/", bucketPath(bucket, prefix[:end+1])})
		}
	}
	return trail
}

// parent is the folder of a key.
func parent(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

func (v *visit) deleteBucket() error {
	client, err := v.s3()
	if err != nil {
		return err
	}
	err = client.exec(s3Request{method: http.MethodDelete, bucket: v.r.PathValue("bucket")})
	if fault.Is(err, fault.CodeDeleteConflict) {
		return v.fault(fault.CodeDeleteConflict, "bucket.notempty")
	}
	if err != nil {
		return err
	}
	return v.to(Root+"buckets", "deleted")
}

func objectPath(bucket, key string) string {
	return Root + "buckets/" + url.PathEscape(bucket) + "/object?" + url.Values{"key": {key}}.Encode()
}

// stored is an object that the address names, with the client that reaches it.
type stored struct {
	s3
	Bucket, Key string // keys may have blanks at their ends
}

func (v *visit) stored() (stored, error) {
	one := stored{Bucket: v.r.PathValue("bucket"), Key: v.r.URL.Query().Get("key")}
	if one.Key == "" {
		return one, v.wrong("error.nowhere")
	}
	v.note("key", one.Key)
	var err error
	one.s3, err = v.s3()
	return one, err
}

// get asks for the object; the caller closes the answer's body.
func (s stored) get() (*http.Response, error) {
	return s.do(s3Request{method: http.MethodGet, bucket: s.Bucket, key: s.Key})
}

// objectPage is one object.
type objectPage struct {
	Bucket, Key  string
	Trail        []folder
	Size         int64
	Modified     time.Time
	Type         string
	Text         string // as people read it
	Form         string // of Text; "" where it is not shown
	Cut          bool
	DownloadPath string
	DeletePath   string
}

func (v *visit) object() error {
	one, err := v.stored()
	if err != nil {
		return err
	}
	at, named := bucketPath(one.Bucket, ""), "?"+url.Values{"key": {one.Key}}.Encode()
	page := objectPage{
		Bucket: one.Bucket, Key: one.Key, Trail: trailOf(one.Bucket, parent(one.Key)),
		DownloadPath: at + "/download" + named, DeletePath: at + "/object/delete" + named,
	}
	answer, err := one.get()
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := page.read(answer); err != nil {
		return err
	}
	return v.render("object", page)
}

// read takes an answer's header and, of a small object, its content.
func (p *objectPage) read(answer *http.Response) (err error) {
	p.Type = answer.Header.Get("Content-Type")
	p.Modified, _ = http.ParseTime(answer.Header.Get("Last-Modified"))
	p.Size, err = strconv.ParseInt(answer.Header.Get("Content-Length"), 10, 64)
	if err != nil || p.Size > viewMax {
		return nil //nolint:nilerr // it is not shown, and its size is not known
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, viewMax))
	if err != nil {
		return err
	}
	p.Text, p.Form, p.Cut = readable(text)
	return nil
}

// download sends an object as a file, whatever it is: the browser must not show
// a stranger's page as ours.
func (v *visit) download() error {
	one, err := v.stored()
	if err != nil {
		return err
	}
	answer, err := one.get()
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	header := v.w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(one.Key)}))
	if length := answer.Header.Get("Content-Length"); length != "" {
		header.Set("Content-Length", length)
	}
	// The header is out: what fails from here on ends the connection, and the
	// browser sees that bytes are missing.
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Time{})
	if _, err := io.Copy(v.w, answer.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// upload stores the body of the request as an object. A script sends it, with
// the token in a header.
func (v *visit) upload() error {
	one, err := v.stored()
	if err != nil {
		return err
	}
	if v.r.ContentLength < 0 {
		return v.wrong("object.nolength")
	}
	_ = http.NewResponseController(v.w).SetReadDeadline(time.Time{}) // a large file takes its time
	if err := one.put(one.Bucket, one.Key, v.query("type"), v.r.Body, v.r.ContentLength); err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (v *visit) deleteObject() error {
	one, err := v.stored()
	if err != nil {
		return err
	}
	if err := one.exec(s3Request{method: http.MethodDelete, bucket: one.Bucket, key: one.Key}); err != nil {
		return err
	}
	return v.to(bucketPath(one.Bucket, parent(one.Key)), "deleted")
}

const uploadPattern = "POST /console/buckets/{bucket}/objects"

var bucketRoutes = []route{
	{"GET /console/buckets", (*visit).buckets},
	{"POST /console/buckets", (*visit).createBucket},
	{"GET /console/newbucket", (*visit).newBucket},
	{"GET /console/buckets/{bucket}", (*visit).bucket},
	{"POST /console/buckets/{bucket}/delete", (*visit).deleteBucket},
	{"GET /console/buckets/{bucket}/object", (*visit).object},
	{"GET /console/buckets/{bucket}/download", (*visit).download},
	{uploadPattern, (*visit).upload},
	{"POST /console/buckets/{bucket}/object/delete", (*visit).deleteObject},
}
