import { createMemoryStorage } from '../../src/storage/memory.ts';
import { describeStorage } from '../conformance/storage.ts';

describeStorage('memory', async () => ({ storage: createMemoryStorage(), remove: async () => {} }));
