package protobuf

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// descriptors describes, as protoc would:
//
//	// car.proto
//	package fleet;
//	message Car {
//	  message Door { bool open = 1; }
//	  int64 serial_number = 1;
//	  repeated Door doors = 2;
//	  string color = 3;
//	}
func descriptors(t testing.TB) []byte {
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	}
	doors := field("doors", 2, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE)
	doors.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	doors.TypeName = proto.String(".fleet.Car.Door")
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("car.proto"), Package: proto.String("fleet"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Car"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("serial_number", 1, descriptorpb.FieldDescriptorProto_TYPE_INT64),
				doors,
				field("color", 3, descriptorpb.FieldDescriptorProto_TYPE_STRING),
			},
			NestedType: []*descriptorpb.DescriptorProto{{
				Name:  proto.String("Door"),
				Field: []*descriptorpb.FieldDescriptorProto{field("open", 1, descriptorpb.FieldDescriptorProto_TYPE_BOOL)},
			}},
		}},
	}}}
	out, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func car() []byte {
	out := protowire.AppendTag(nil, 1, protowire.VarintType)
	out = protowire.AppendVarint(out, 9007199254740993)
	out = protowire.AppendTag(out, 2, protowire.BytesType)
	return protowire.AppendBytes(out, protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1))
}

func TestJSON(t *testing.T) {
	for _, name := range []string{"Car", "fleet.Car"} {
		decoder, err := NewDecoder(descriptors(t), "car", name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := decoder.JSON(car())
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"serialNumber": "9007199254740993", "doors": []any{map[string]any{"open": true}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNestedMessagesAreFound(t *testing.T) {
	if _, err := NewDecoder(descriptors(t), "car", "Car.Door"); err != nil {
		t.Fatal(err)
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct{ name, file, message, want string }{
		{"file unknown", "bike", "Car", "no file bike.proto"},
		{"message unknown", "car", "Bike", "no message Bike"},
		{"message empty", "car", "", "no message"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := NewDecoder(descriptors(t), test.file, test.message); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	decoder, err := NewDecoder(descriptors(t), "car", "Car")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := decoder.JSON([]byte{0xff}); err == nil {
		t.Errorf("a torn message gave %s", out)
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(descriptors(f), "car", "Car", car())
	f.Fuzz(func(t *testing.T, set []byte, file, message string, data []byte) {
		decoder, err := NewDecoder(set, file, message)
		if err != nil {
			return
		}
		if out, err := decoder.JSON(data); err == nil && !json.Valid(out) {
			t.Fatalf("%q is not JSON", out)
		}
	})
}
