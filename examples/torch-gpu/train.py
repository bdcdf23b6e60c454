"""Fit a small network on a GPU where there is one, and print the digest of its weights."""

import hashlib
import os

import torch


def main() -> None:
    """Train for a hundred steps with every source of chance fixed."""
    torch.manual_seed(int(os.environ.get("PYTHONHASHSEED", "0")))
    torch.use_deterministic_algorithms(mode=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, on {name}")

    inputs = torch.randn(1024, 64, device=device)
    targets = inputs.square().sum(dim=1, keepdim=True)
    model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()

    learnt = hashlib.sha256()
    for weights in model.state_dict().values():
        learnt.update(weights.cpu().numpy().astype("<f4").tobytes())
    print(f"loss {loss.item():.6f}")
    print(f"model sha256:{learnt.hexdigest()}")


if __name__ == "__main__":
    main()
