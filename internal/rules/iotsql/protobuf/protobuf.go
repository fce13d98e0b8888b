// Package protobuf turns protocol buffers into JSON by a descriptor that is only
// known at run time, for the function decode(…, 'proto', …) of AWS IoT SQL.
//
// The JSON is the canonical mapping of the protocol buffers documentation:
// lowerCamelCase names, 64-bit integers and bytes as strings, fields without a
// value left out (unconfirmed for AWS; it is what the Java library does).
package protobuf

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const (
	// DescriptorMax is the largest FileDescriptorSet, in bytes (AWS).
	DescriptorMax = 32 << 10
	// MessageMax is the largest message and the largest JSON text, in bytes (AWS).
	MessageMax = 128 << 10

	nestingMax = 64 // messages in messages
)

// Decoder reads messages of one type. It is safe for concurrent use.
type Decoder struct {
	message protoreflect.MessageType
	types   *dynamicpb.Types
}

// NewDecoder finds a message type in a serialized FileDescriptorSet. The file is
// named without its .proto ending, the message by its name in the file's package
// or by its full name.
func NewDecoder(descriptorSet []byte, file, message string) (_ *Decoder, err error) {
	defer contain(&err)
	if len(descriptorSet) > DescriptorMax {
		return nil, fmt.Errorf("the descriptor set has %d bytes, the limit is %d", len(descriptorSet), DescriptorMax)
	}
	var set descriptorpb.FileDescriptorSet
	if err := (proto.UnmarshalOptions{RecursionLimit: nestingMax}).Unmarshal(descriptorSet, &set); err != nil {
		return nil, fmt.Errorf("not a FileDescriptorSet: %w", err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, fmt.Errorf("not a FileDescriptorSet: %w", err)
	}
	descriptor, err := files.FindFileByPath(strings.TrimSuffix(file, ".proto") + ".proto")
	if err != nil {
		return nil, fmt.Errorf("the descriptor set has no file %s.proto", file)
	}
	found := find(descriptor, message)
	if found == nil {
		return nil, fmt.Errorf("%s.proto has no message %s", file, message)
	}
	return &Decoder{message: dynamicpb.NewMessageType(found), types: dynamicpb.NewTypes(files)}, nil
}

// find looks a message up by a path of names (Outer.Inner) or its full name.
func find(file protoreflect.FileDescriptor, name string) protoreflect.MessageDescriptor {
	name = strings.TrimPrefix(name, string(file.Package())+".")
	messages := file.Messages()
	var found protoreflect.MessageDescriptor
	for part := range strings.SplitSeq(name, ".") {
		found = messages.ByName(protoreflect.Name(part))
		if found == nil {
			return nil
		}
		messages = found.Messages()
	}
	return found
}

// JSON reads one message and writes it as JSON.
func (d *Decoder) JSON(data []byte) (_ []byte, err error) {
	defer contain(&err)
	if len(data) > MessageMax {
		return nil, fmt.Errorf("the message has %d bytes, the limit is %d", len(data), MessageMax)
	}
	message := d.message.New().Interface()
	options := proto.UnmarshalOptions{Resolver: d.types, RecursionLimit: nestingMax}
	if err := options.Unmarshal(data, message); err != nil {
		return nil, fmt.Errorf("not a %s: %w", d.message.Descriptor().FullName(), err)
	}
	out, err := protojson.MarshalOptions{Resolver: d.types}.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", d.message.Descriptor().FullName(), err)
	}
	if len(out) > MessageMax {
		return nil, fmt.Errorf("the message has %d bytes as JSON, the limit is %d", len(out), MessageMax)
	}
	return out, nil
}

// contain turns a panic into an error. The library trusts descriptors more than
// we do: ours come from whoever can write to a bucket.
func contain(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("the descriptor set is inconsistent: %v", cause)
	}
}
