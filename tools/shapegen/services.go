package main

// service says what the models cannot: where a package goes, and what real
// clients do beyond the model.
type service struct {
	model        string   // file below models/, without .json
	pkg          string   // Go package below internal/aws
	title        string   // for the package comment
	actionPrefix string   // of policy actions
	signingNames []string // besides the model's
	devices      bool     // client certificates may call it
	greedy       []string // labels whose slashes may arrive unescaped
	acknowledged []string // operations without output that nevertheless answer {"message":"OK",...}
}

var services = []service{
	{model: "iot", pkg: "iot", title: "the AWS IoT control plane", actionPrefix: "iot"},
	{
		model: "iot-data", pkg: "iotdata", title: "the AWS IoT data plane", actionPrefix: "iot", devices: true,
		// AWS's documentation names iotdevicegateway for hand-signed calls.
		signingNames: []string{"iotdevicegateway"},
		// curl users write topics with plain slashes, SDKs write %2F.
		greedy:       []string{"topic"},
		acknowledged: []string{"Publish"},
	},
	{model: "iot-jobs-data", pkg: "iotjobs", title: "the AWS IoT jobs data plane", actionPrefix: "iotjobsdata", devices: true},
	{model: "iotsecuretunneling", pkg: "tunneling", title: "AWS IoT secure tunneling", actionPrefix: "iot"},
	{model: "sagemaker", pkg: "sagemaker", title: "the part of Amazon SageMaker that manages edge devices", actionPrefix: "sagemaker"},
	{model: "sagemaker-edge", pkg: "sagemakeredge", title: "the API of the Amazon SageMaker Edge Manager agent", actionPrefix: "sagemaker"},
	{model: "sts", pkg: "sts", title: "the part of AWS STS that gives and explains credentials", actionPrefix: "sts"},
	{model: "thingd", pkg: "thingdapi", title: "what thingd has beyond AWS", actionPrefix: "thingd"},
	{model: "iam", pkg: "iamapi", title: "the part of AWS IAM that the other services need", actionPrefix: "iam"},
}
