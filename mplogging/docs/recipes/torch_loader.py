"""python torch_loader.py 1000

A DataLoader's workers attach by themselves.
"""

import logging
import sys

from torch.utils.data import DataLoader, Dataset

import mplogging


class Numbers(Dataset):
    def __len__(self):
        return int(sys.argv[1])

    def __getitem__(self, number):
        logging.info("number %d", number)
        return number


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", backupCount=15):
        loader = DataLoader(Numbers(), batch_size=10, num_workers=4)
        logging.info("sum %d", sum(int(batch.sum()) for batch in loader))
