"""The fast engine: grad-cam's maps from one forward pass, for networks that split into features and head.

- `engine`: one forward pass, a backward pass through the head, and all methods' maps; as an `Explainer`
- `single_pass`: methods that need activations and gradients only. To add one, write its function there
- `ablation`, `score`: AblationCAM's and ScoreCAM's weights, without running what cannot matter
- `kernels`: convolutions and dense layers as the device runs them fastest; the only user of torch's private operators
- `batch_sizes`: how much at once, and less if memory runs out
"""
