// swift-tools-version: 6.1
import PackageDescription

let foundations: [Target] = [
    .systemLibrary(name: "CMultipoint", path: "include"),
    .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    // Needs libdnnl-dev.
    .target(name: "CDNNL"),
    .target(name: "DNNL", dependencies: ["CDNNL", "Headroom"], exclude: ["README.md"]),
    .target(name: "CElementwise", exclude: ["README.md"]),
    .target(name: "Headroom", exclude: ["README.md"]),
]

// Data flows down this list: no module imports a later one.
let modules: [Target] = [
    .target(name: "MultipointGraph", exclude: ["README.md"]),
    .target(
        name: "ONNXMessages", dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")], exclude: ["README.md"]),
    .target(
        name: "ONNXImport",
        dependencies: ["MultipointGraph", "ONNXMessages", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
        exclude: ["README.md"]),
    .target(
        name: "ONNXExport",
        dependencies: ["MultipointGraph", "ONNXMessages", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
        exclude: ["README.md"]),
    .target(name: "MultipointQuantization", dependencies: ["MultipointGraph"], exclude: ["README.md"]),
    .target(name: "MultipointFormat", dependencies: ["MultipointGraph", "Headroom"], exclude: ["README.md"]),
    .target(name: "NumPyArrays", dependencies: ["MultipointGraph", "MultipointFormat"], exclude: ["README.md"]),
    .target(
        name: "MultipointRuntime", dependencies: ["MultipointGraph", "Headroom", "DNNL", "CElementwise"], exclude: ["README.md"]),
    .target(
        name: "PostTrainingQuantization",
        dependencies: ["MultipointGraph", "MultipointQuantization", "MultipointRuntime", "DNNL"],
        exclude: ["README.md"]),
    .target(
        name: "Multipoint",
        dependencies: [
            "CMultipoint", "Headroom", "MultipointGraph", "MultipointFormat", "MultipointQuantization", "MultipointRuntime",
        ],
        exclude: ["exports.map"]),
    .executableTarget(
        name: "multipoint-cli",
        dependencies: [
            "CMultipoint", "COpenBLAS", "DNNL", "MultipointGraph", "ONNXImport", "ONNXExport", "MultipointQuantization",
            "MultipointFormat", "NumPyArrays",
            "MultipointRuntime", "PostTrainingQuantization", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        // In the command itself: an installed command has no folder beside it.
        resources: [.embedInCode("Report/report.css"), .embedInCode("Report/report.js")]),
]

let tests: [Target] = [
    .target(name: "SeededNumbers", path: "Tests/SeededNumbers"),
    .testTarget(name: "MultipointGraphTests", dependencies: ["MultipointGraph", "SeededNumbers"]),
    .testTarget(name: "ONNXImportTests", dependencies: ["ONNXImport", "ONNXMessages"]),
    .testTarget(name: "ONNXExportTests", dependencies: ["ONNXExport", "ONNXMessages"]),
    .testTarget(name: "MultipointQuantizationTests", dependencies: ["MultipointQuantization", "SeededNumbers"]),
    .testTarget(name: "MultipointFormatTests", dependencies: ["MultipointFormat", "SeededNumbers"]),
    .testTarget(name: "DNNLTests", dependencies: ["DNNL"]),
    .testTarget(
        name: "MultipointRuntimeTests", dependencies: ["MultipointRuntime", "MultipointFormat", "CElementwise", "SeededNumbers"],
        exclude: ["Trained"]),
    .testTarget(
        name: "PostTrainingQuantizationTests",
        dependencies: ["PostTrainingQuantization", "MultipointRuntime", "MultipointGraph", "SeededNumbers"]),
    .testTarget(name: "MultipointTests", dependencies: ["Multipoint", "CMultipoint"]),
    .testTarget(name: "multipoint-cliTests", dependencies: ["multipoint-cli", "NumPyArrays", "SeededNumbers"]),
]

// Functions that take bytes of anyone's making; the tests replay what once broke them.
let fuzzTargets: [Target] = [
    .target(name: "FuzzInterpreter", path: "Tests/fuzzing/interpreter", cSettings: [.headerSearchPath("../../../include")]),
    .target(
        name: "FuzzTargets",
        dependencies: [
            "FuzzInterpreter", "CMultipoint", "Multipoint", "MultipointGraph", "MultipointFormat", "MultipointRuntime", "NumPyArrays",
            "ONNXImport", "SeededNumbers",
        ],
        path: "Tests/fuzzing/targets"),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"]),
]

// Programs that only Tests/fuzz builds: the driver links with libFuzzer alone.
let fuzzPrograms: [Target] =
    Context.environment["MULTIPOINT_FUZZING"] == nil
    ? []
    : [
        .executableTarget(name: "multipoint-fuzz", dependencies: ["FuzzTargets"], path: "Tests/fuzzing/driver"),
        .executableTarget(name: "multipoint-corrupt", dependencies: ["FuzzTargets"], path: "Tests/fuzzing/corruption"),
    ]

let package = Package(
    name: "multipoint",
    products: [
        // Built with the linker flags that CMakeLists.txt gives, so that it carries the Swift runtime and exports only
        // what include/multipoint.h declares.
        .library(name: "multipoint", type: .dynamic, targets: ["Multipoint"]),
        .executable(name: "multipoint-cli", targets: ["multipoint-cli"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Without its default traits: they import all of Foundation, which makes the command four times as large.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    ],
    targets: foundations + modules + tests + fuzzTargets + fuzzPrograms,
    swiftLanguageModes: [.v6]
)
